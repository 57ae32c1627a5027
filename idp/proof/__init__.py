"""What a caller proves: who it is, which key it holds, who signed its request. Pure rules; nothing here reads a clock or a store."""
