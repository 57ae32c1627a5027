{{/*
What the service is told: settings, and which Secret holds which file. One list each, read by the ConfigMap and the Deployment.
*/}}

{{- define "gba-trust.secretFolder" -}}/run/gba-trust/secrets{{- end -}}
{{- define "gba-trust.dataFolder" -}}/var/lib/gba-trust{{- end -}}
{{- define "gba-trust.modelsFolder" -}}/var/lib/gba-trust-models{{- end -}}

{{/* A YAML list of {setting, secret, key, file}: every file that comes from a Secret. */}}
{{- define "gba-trust.secretFiles" -}}
{{- with .Values.secrets.keyEncryptionKey }}
- {setting: KEY_ENCRYPTION_KEY_FILE, secret: {{ .existingSecret | quote }}, key: {{ .key | quote }}, file: key-encryption-key}
{{- end }}
{{- if .Values.settings.trustList.url }}
{{- with .Values.secrets.trustListRoot }}
- {setting: TRUST_LIST_ROOT_FILE, secret: {{ .existingSecret | quote }}, key: {{ .key | quote }}, file: trust-list-root.json}
{{- end }}
{{- end }}
{{- if .Values.settings.iamSmart.enabled }}
{{- with .Values.secrets.iamSmartCredentials }}
- {setting: IAM_SMART_CREDENTIALS_FILE, secret: {{ .existingSecret | quote }}, key: {{ .key | quote }}, file: iam-smart-credentials.json}
{{- end }}
{{- end }}
{{- if .Values.settings.permitAuthority.enabled }}
{{- with .Values.secrets.permitAuthority }}
- {setting: PERMIT_AUTHORITY_KEY_FILE, secret: {{ .existingSecret | quote }}, key: {{ .privateKey | quote }}, file: permit-authority-client.key}
- {setting: PERMIT_AUTHORITY_PUBLIC_KEY_FILE, secret: {{ .existingSecret | quote }}, key: {{ .publicKey | quote }}, file: permit-authority.pub}
{{- end }}
{{- end }}
{{- if .Values.settings.notifier.url }}
{{- with .Values.secrets.notifierSecret }}
- {setting: NOTIFIER_SECRET_FILE, secret: {{ .existingSecret | quote }}, key: {{ .key | quote }}, file: notifier-secret}
{{- end }}
{{- end }}
{{- end -}}

{{/* A YAML map of settings, without the prefix. */}}
{{- define "gba-trust.settings" -}}
MODE: production
DATA: {{ include "gba-trust.dataFolder" . }}
ISSUER: {{ .Values.settings.issuer | quote }}
{{- with .Values.settings.keyRotation }}
KEY_PERIOD_S: {{ .periodSeconds | int64 | quote }}
KEY_LEAD_S: {{ .leadSeconds | int64 | quote }}
KEY_OVERLAP_S: {{ .overlapSeconds | int64 | quote }}
{{- end }}
{{- if has "liveness" .Values.parts }}
MODELS_DIR: {{ include "gba-trust.modelsFolder" . }}
{{- with .Values.models.manifestSha256 }}
MODELS_MANIFEST_SHA256: {{ . | quote }}
{{- end }}
{{- end }}
{{- with .Values.settings.trustList }}
{{- if .url }}
TRUST_LIST_URL: {{ .url | quote }}
{{- end }}
TRUST_LIST_REFRESH_S: {{ .refreshSeconds | int64 | quote }}
TRUST_LIST_GRACE_S: {{ .graceSeconds | int64 | quote }}
{{- end }}
{{- with .Values.settings.timestampAuthority.url }}
TSA_URL: {{ . | quote }}
{{- end }}
{{- with .Values.settings.iamSmart }}
{{- if .enabled }}
IAM_SMART_BASE_URL: {{ .baseUrl | quote }}
IAM_SMART_CERTIFICATE_REPOSITORY_URL: {{ .certificateRepositoryUrl | quote }}
{{- end }}
{{- end }}
{{- with .Values.settings.permitAuthority }}
{{- if .enabled }}
PERMIT_AUTHORITY_URL: {{ .url | quote }}
PERMIT_AUTHORITY_CLIENT_ID: {{ .clientId | quote }}
{{- end }}
{{- end }}
{{- with .Values.settings.notifier.url }}
NOTIFIER_URL: {{ . | quote }}
{{- end }}
{{- range include "gba-trust.secretFiles" . | fromYamlArray }}
{{ .setting }}: {{ include "gba-trust.secretFolder" $ }}/{{ .file }}
{{- end }}
{{- end -}}
