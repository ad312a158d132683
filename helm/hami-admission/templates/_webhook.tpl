{{/* What both webhook configurations have in common: who answers, and which pods are asked about. */}}

{{- define "hami.webhook.metadata" -}}
name: hami-admission
labels:
  {{- include "hami.labels" . | nindent 2 }}
{{- if eq .Values.certificates.mode "certManager" }}
annotations:
  cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/hami-admission
{{- end }}
{{- end }}

{{/* (root, path). The authority is put in by the process itself once it serves. */}}
{{- define "hami.webhook.target" -}}
service:
  namespace: {{ .root.Release.Namespace }}
  name: hami-admission
  path: {{ .path }}
  port: 443
{{- if and (eq .root.Values.certificates.mode "existingSecret") .root.Values.certificates.caBundle }}
caBundle: {{ .root.Values.certificates.caBundle }}
{{- end }}
{{- end }}

{{- define "hami.webhook.scope" -}}
{{- $hook := .Values.scheduler.admissionWebhook -}}
rules:
  - apiGroups: [""]
    apiVersions: [v1]
    operations: [CREATE]
    resources: [pods]
    scope: Namespaced
failurePolicy: {{ $hook.failurePolicy }}
matchPolicy: Equivalent
timeoutSeconds: {{ $hook.timeoutSeconds }}
namespaceSelector:
  matchExpressions:
    - key: kubernetes.io/metadata.name
      operator: NotIn
      values: {{ include "hami.exemptNamespaces" . }}
    {{- include "hami.webhook.optOut" . | nindent 4 }}
    {{- with $hook.namespaceSelector.matchExpressions }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $hook.namespaceSelector.matchLabels }}
  matchLabels:
    {{- toYaml . | nindent 4 }}
  {{- end }}
objectSelector:
  matchExpressions:
    {{- include "hami.webhook.optOut" . | nindent 4 }}
    {{- with $hook.objectSelector.matchExpressions }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $hook.objectSelector.matchLabels }}
  matchLabels:
    {{- toYaml . | nindent 4 }}
  {{- end }}
matchConditions:
  - name: asks-for-an-accelerator
    expression: >-
      (object.spec.containers + (has(object.spec.initContainers) ? object.spec.initContainers : []))
      .exists(c, has(c.resources) &&
      [has(c.resources.limits) ? c.resources.limits : {},
      has(c.resources.requests) ? c.resources.requests : {}].exists(amounts, amounts.exists(r, r in
      {{ include "hami.cel" (include "hami.resourceNames" . | fromJsonArray) }})))
{{- end }}

{{- define "hami.webhook.optOut" -}}
- key: hami.io/webhook
  operator: NotIn
  values: [ignore]
{{- end }}
