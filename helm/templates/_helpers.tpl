{{/*
Names and labels. Every object's labels name its component; selectors are release + component, so that a later chart can add
deployments beside this one without touching what is there (a Deployment's selector can never be changed).
Components today: `embedded` (all parts in one pod), `keys` (their rotation) and `test`.
*/}}

{{- define "gba-trust.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* 40 characters leave room for suffixes such as -management within the 63 of a DNS label. */}}
{{- define "gba-trust.fullname" -}}
{{- $name := include "gba-trust.name" . -}}
{{- $joined := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $joined .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "gba-trust.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Takes (list $ component). */}}
{{- define "gba-trust.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "gba-trust.name" $root | quote }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Takes (list $ component). Our own labels go last into the map, so that none of them can be overridden. */}}
{{- define "gba-trust.labels" -}}
{{- $root := index . 0 -}}
{{- $ours := dict
  "helm.sh/chart" (include "gba-trust.chart" $root)
  "app.kubernetes.io/version" $root.Chart.AppVersion
  "app.kubernetes.io/managed-by" $root.Release.Service
  "app.kubernetes.io/part-of" "gba-trust" -}}
{{- $selector := include "gba-trust.selectorLabels" . | fromYaml -}}
{{- mergeOverwrite (deepCopy $root.Values.commonLabels) $ours $selector | toYaml -}}
{{- end -}}

{{- define "gba-trust.serviceAccountName" -}}
{{- $made := ternary (include "gba-trust.fullname" .) "default" .Values.serviceAccount.create -}}
{{- default $made .Values.serviceAccount.name -}}
{{- end -}}

{{- define "gba-trust.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "gba-trust.claimName" -}}
{{- default (printf "%s-data" (include "gba-trust.fullname" .)) .Values.persistence.existingClaim -}}
{{- end -}}

{{/* The issuer's host, for routes: one source for the origin. */}}
{{- define "gba-trust.host" -}}
{{- (urlParse .Values.settings.issuer).hostname -}}
{{- end -}}

{{/* What every pod of the release has in common: an identity without rights, a user without rights. */}}
{{- define "gba-trust.podSecurity" -}}
serviceAccountName: {{ include "gba-trust.serviceAccountName" . | quote }}
automountServiceAccountToken: false
{{- /* A Service named gba-trust would put GBA_TRUST_SERVICE_HOST and the like into the pod; the service refuses names it does not know. */}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .Values.pod.user | int64 }}
  runAsGroup: {{ .Values.pod.group | int64 }}
  fsGroup: {{ .Values.pod.group | int64 }}
  {{- /* Always would make the sealed key ring group-readable at each start. */}}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "gba-trust.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "gba-trust.imageFields" -}}
image: {{ include "gba-trust.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end -}}
