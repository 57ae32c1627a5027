{{/*
Rules between values, each with a sentence that says what to do. Rules of one value alone stand in values.schema.json.
*/}}
{{- define "gba-trust.check" -}}
{{- $v := .Values -}}
{{- /* What the service itself refuses at its start (service/app.py, check_parts), said before anything is installed. */ -}}
{{- if and (without $v.parts "liveness") (empty $v.settings.trustList.url) -}}
{{- fail "settings.trustList.url is missing: every part but liveness judges by the trust list, or shows it" -}}
{{- end -}}
{{- if and (has "signing" $v.parts) (empty $v.settings.timestampAuthority.url) -}}
{{- fail "settings.timestampAuthority.url is missing: the part signing puts a time stamp into every signature" -}}
{{- end -}}
{{- if and (has "idp" $v.parts) (not $v.settings.iamSmart.enabled) -}}
{{- fail "settings.iamSmart.enabled is false: the part idp has no other upstream yet, nobody could sign in" -}}
{{- end -}}
{{- if and (has "liveness" $v.parts) (not $v.settings.permitAuthority.enabled) -}}
{{- fail "settings.permitAuthority.enabled is false: the part liveness asks the authority about every permit" -}}
{{- end -}}
{{- if and (has "liveness" $v.parts) (not $v.models.existingClaim) -}}
{{- fail "models.existingClaim is missing: the part liveness needs the face models; name their claim, or take liveness out of parts" -}}
{{- end -}}
{{- if ne (empty $v.settings.trustList.url) (empty $v.secrets.trustListRoot.existingSecret) -}}
{{- fail "settings.trustList.url and secrets.trustListRoot.existingSecret belong together: set both or none" -}}
{{- end -}}
{{- if $v.settings.iamSmart.enabled -}}
{{- if or (empty $v.settings.iamSmart.baseUrl) (empty $v.settings.iamSmart.certificateRepositoryUrl) (empty $v.secrets.iamSmartCredentials.existingSecret) -}}
{{- fail "settings.iamSmart.enabled needs settings.iamSmart.baseUrl, settings.iamSmart.certificateRepositoryUrl and secrets.iamSmartCredentials.existingSecret" -}}
{{- end -}}
{{- end -}}
{{- if $v.settings.permitAuthority.enabled -}}
{{- if or (empty $v.settings.permitAuthority.url) (empty $v.settings.permitAuthority.clientId) (empty $v.secrets.permitAuthority.existingSecret) -}}
{{- fail "settings.permitAuthority.enabled needs settings.permitAuthority.url, settings.permitAuthority.clientId and secrets.permitAuthority.existingSecret" -}}
{{- end -}}
{{- end -}}
{{- if and $v.keyRotation.enabled (eq $v.persistence.accessMode "ReadWriteOncePod") -}}
{{- fail "persistence.accessMode is ReadWriteOncePod, which keeps the pod of keyRotation out: take ReadWriteOnce, or set keyRotation.enabled to false and rotate by hand" -}}
{{- end -}}
{{- if ne (empty $v.settings.notifier.url) (empty $v.secrets.notifierSecret.existingSecret) -}}
{{- fail "settings.notifier.url and secrets.notifierSecret.existingSecret belong together: set both or none" -}}
{{- end -}}
{{- if and $v.ingress.enabled (empty $v.ingress.tlsSecret) -}}
{{- fail "ingress.tlsSecret is missing: the issuer is https" -}}
{{- end -}}
{{- if and $v.httpRoute.enabled (empty $v.httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs is empty: name the Gateway's HTTPS listener" -}}
{{- end -}}
{{- if $v.networkPolicy.enabled -}}
{{- if and (or $v.ingress.enabled $v.httpRoute.enabled) (empty $v.networkPolicy.ingress.publicFrom) -}}
{{- fail "networkPolicy.ingress.publicFrom is empty: name the pods of the ingress controller or gateway, else nobody reaches the service" -}}
{{- end -}}
{{- if and $v.serviceMonitor.enabled (empty $v.networkPolicy.ingress.managementFrom) -}}
{{- fail "networkPolicy.ingress.managementFrom is empty: name the pods of your Prometheus, else it cannot scrape" -}}
{{- end -}}
{{- $upstreams := or $v.settings.trustList.url $v.settings.timestampAuthority.url $v.settings.iamSmart.enabled $v.settings.permitAuthority.enabled $v.settings.notifier.url -}}
{{- $names := list -}}
{{- range $v.networkPolicy.egress.upstreams -}}
{{- if has .name $names -}}
{{- fail (printf "networkPolicy.egress.upstreams names %s twice: each becomes a policy of that name" .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- if and $upstreams (empty $v.networkPolicy.egress.upstreams) -}}
{{- fail "networkPolicy.egress.upstreams is empty, but the settings name upstreams: list their addresses and ports, else none can be reached" -}}
{{- end -}}
{{- end -}}
{{- end -}}
