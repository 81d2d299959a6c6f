package kubernetes

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// checkVolumes checks that volumes are mounted, that mounts have a volume and that
// the sources of the volumes exist.
func (o *Objects) checkVolumes(external []string) (problems []string) {
	for _, set := range o.StatefulSets {
		problem := func(format string, args ...any) {
			problems = append(problems, fmt.Sprintf("StatefulSet %s: ", set.Name)+fmt.Sprintf(format, args...))
		}
		mounted, paths := map[string]bool{}, map[string]bool{}
		for _, mount := range container(set).VolumeMounts {
			mounted[mount.Name] = true
			if paths[mount.MountPath] {
				problem("two volumes are mounted at %s", mount.MountPath)
			}
			paths[mount.MountPath] = true
			if !slices.ContainsFunc(pod(set).Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name }) {
				problem("the mount at %s has no volume %q", mount.MountPath, mount.Name)
			}
		}
		for _, volume := range pod(set).Volumes {
			if !mounted[volume.Name] {
				problem("the volume %q is not mounted", volume.Name)
			}
			for _, source := range sources(volume) {
				if !o.has(source, external) {
					problem("the volume %q needs %s, which does not exist", volume.Name, source)
				}
			}
		}
	}
	return problems
}

// sources returns the objects that a volume takes its files from, with their keys,
// such as "ConfigMap teams/teams.json".
func sources(volume corev1.Volume) (all []string) {
	keys := func(object string, items []corev1.KeyToPath) {
		if len(items) == 0 {
			all = append(all, object)
		}
		for _, item := range items {
			all = append(all, object+"/"+item.Key)
		}
	}
	if secret := volume.Secret; secret != nil {
		keys("Secret "+secret.SecretName, secret.Items)
	}
	if config := volume.ConfigMap; config != nil {
		keys("ConfigMap "+config.Name, config.Items)
	}
	if claim := volume.PersistentVolumeClaim; claim != nil {
		all = append(all, "PersistentVolumeClaim "+claim.ClaimName)
	}
	if volume.Projected != nil {
		for _, source := range volume.Projected.Sources {
			if source.ConfigMap == nil {
				all = append(all, "a source that the checks do not support")
				continue
			}
			keys("ConfigMap "+source.ConfigMap.Name, source.ConfigMap.Items)
		}
	}
	return all
}

// has reports whether an object, or a key of it, is in the plan or exists already.
// The keys of a Secret are not known, because the plan does not contain its data.
func (o *Objects) has(object string, external []string) bool {
	object, key, _ := strings.Cut(object, "/")
	if slices.Contains(external, object) {
		return true
	}
	if !slices.ContainsFunc(o.list(), func(known manifest) bool { return title(known) == object }) {
		return false
	}
	for _, config := range o.ConfigMaps {
		if "ConfigMap "+config.Name == object && key != "" {
			_, ok := config.Data[key]
			return ok
		}
	}
	return true
}

// checkReferences checks that references exist, apart from those of volumes.
func (o *Objects) checkReferences(external []string) (problems []string) {
	want := func(object, source string) {
		if !o.has(source, external) {
			problems = append(problems, fmt.Sprintf("%s needs %s, which does not exist", object, source))
		}
	}
	for _, set := range o.StatefulSets {
		for _, source := range referencesOf(set) {
			want("StatefulSet "+set.Name, source)
		}
	}
	for _, ingress := range o.Ingresses {
		for _, tls := range ingress.Spec.TLS {
			want("Ingress "+ingress.Name, "Secret "+tls.SecretName)
		}
	}
	return problems
}

// referencesOf returns the objects that a pod needs for its image and its
// environment, with their keys.
func referencesOf(set *appsv1.StatefulSet) (all []string) {
	for _, secret := range pod(set).ImagePullSecrets {
		all = append(all, "Secret "+secret.Name)
	}
	for _, source := range container(set).EnvFrom {
		if secret := source.SecretRef; secret != nil {
			all = append(all, "Secret "+secret.Name)
		}
		if config := source.ConfigMapRef; config != nil {
			all = append(all, "ConfigMap "+config.Name)
		}
	}
	for _, variable := range container(set).Env {
		if variable.ValueFrom == nil {
			continue
		}
		if secret := variable.ValueFrom.SecretKeyRef; secret != nil {
			all = append(all, "Secret "+secret.Name+"/"+secret.Key)
		}
		if config := variable.ValueFrom.ConfigMapKeyRef; config != nil {
			all = append(all, "ConfigMap "+config.Name+"/"+config.Key)
		}
	}
	return all
}
