{{/*
Names are fixed: webhook configurations and policies are of the whole cluster, so there is one
installation. Helm refuses a second one, and names the object that is there.
*/}}

{{- define "hami.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: hami-admission
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Selectors cannot be changed by an upgrade, so nothing in them does. */}}
{{- define "hami.control.selector" -}}
app.kubernetes.io/name: hami-admission
app.kubernetes.io/component: control
{{- end }}

{{- define "hami.agent.selector" -}}
app.kubernetes.io/name: hami-admission
app.kubernetes.io/component: agent
{{- end }}

{{/* (root, image, version): the reference of an image; a digest wins over the tag. */}}
{{- define "hami.image" -}}
{{- $registry := .root.Values.global.imageRegistry | default .image.registry -}}
{{- $name := ternary (printf "%s/%s" $registry .image.repository) .image.repository (ne $registry "") -}}
{{- if .image.digest -}}
{{ $name }}@{{ .image.digest }}
{{- else -}}
{{ $name }}:{{ .image.tag | default .version }}
{{- end -}}
{{- end }}

{{/* v1.34.2 of v1.34.2-gke.100 and v1.34.2+k3s1: makers of clusters add to it. */}}
{{- define "hami.kubeVersion" -}}
{{ regexFind "^v[0-9]+\\.[0-9]+\\.[0-9]+" .Capabilities.KubeVersion.Version }}
{{- end }}

{{- define "hami.pullSecrets" -}}
{{- with .Values.global.imagePullSecrets -}}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* All resource names that we serve, as a JSON list. */}}
{{- define "hami.resourceNames" -}}
{{- $v := .Values -}}
{{- $names := list $v.resourceName $v.resourceMem $v.resourceMemPercentage $v.resourceCores $v.resourcePriority -}}
{{- $sections := list $v.devices.vnpus.configs $v.devices.iluvatars $v.devices.families -}}
{{- range $key, $section := $v.devices -}}
{{- if not (has $key (list "vnpus" "iluvatars" "families")) -}}{{- $sections = prepend $sections (list $section) -}}{{- end -}}
{{- end -}}
{{- range $section := $sections -}}
{{- range $each := $section -}}
{{- range $key, $name := $each -}}
{{- if and (hasPrefix "resource" $key) $name -}}{{- $names = append $names $name -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{ $names | uniq | toJson }}
{{- end }}

{{/* In CEL: is the request ours, or of who writes what device plugins of others say? */}}
{{- define "hami.isWriter" -}}
{{- $groups := list (printf "system:serviceaccounts:%s" .Release.Namespace) -}}
{{- if not .Values.pluginAccounts -}}
{{- range concat (list "kube-system") .Values.pluginNamespaces | uniq -}}
{{- $groups = append $groups (printf "system:serviceaccounts:%s" .) -}}
{{- end -}}
{{- end -}}
request.userInfo.groups.exists(g, g in
{{ include "hami.cel" ($groups | uniq) }})
{{- if .Values.pluginAccounts -}}
{{- $accounts := list -}}
{{- $outer := concat (list .Release.Namespace "kube-system") .Values.pluginNamespaces -}}
{{- range .Values.pluginAccounts -}}
{{- $namespace := first (splitList "/" .) -}}
{{- if not (has $namespace $outer) -}}
{{- fail (printf "pluginAccounts: %s: add %s to pluginNamespaces, or remove the account" . $namespace) -}}
{{- end -}}
{{- $accounts = append $accounts (printf "system:serviceaccount:%s" (replace "/" ":" .)) -}}
{{- end }} ||
request.userInfo.username in
{{ include "hami.cel" $accounts }}
{{- end -}}
{{- end }}

{{/* Namespaces outside of all policies but one, as a JSON list. */}}
{{- define "hami.exemptNamespaces" -}}
{{ concat (list "kube-system" .Release.Namespace) .Values.scheduler.admissionWebhook.whitelistNamespaces | uniq | toJson }}
{{- end }}

{{/* All names of our scheduler, as a JSON list. */}}
{{- define "hami.schedulerNames" -}}
{{ prepend .Values.moreSchedulerNames .Values.schedulerName | uniq | toJson }}
{{- end }}

{{/* A list of texts in CEL. */}}
{{- define "hami.cel" -}}
['{{ join "', '" . }}']
{{- end }}

{{/* The API of policies: v1 from Kubernetes 1.30 on, before that v1beta1 where it is switched on, or empty. */}}
{{- define "hami.policyApi" -}}
{{- if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version -}}
admissionregistration.k8s.io/v1
{{- else if .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1beta1/ValidatingAdmissionPolicy" -}}
admissionregistration.k8s.io/v1beta1
{{- end -}}
{{- end }}

{{/* Not empty where a node has cards that are cut into MIG instances. */}}
{{- define "hami.mig" -}}
{{- range .Values.agent.nodeConfig.nodeconfig -}}
{{- range $name, $value := . -}}
{{- if and (eq (lower $name) "operatingmode") (eq $value "mig") -}}yes{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The Secret that holds the certificate. */}}
{{- define "hami.secret" -}}
{{ ternary .Values.certificates.existingSecret "hami-admission-tls" (eq .Values.certificates.mode "existingSecret") }}
{{- end }}

{{/* What the restricted Pod Security level wants of a container. */}}
{{- define "hami.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end }}
