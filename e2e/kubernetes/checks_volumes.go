package kubernetes

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// volumes are mounted, mounts have volumes, and what the volumes take their files
// from is there.
func (o *Objects) volumes(external []string) (problems []string) {
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
				problem("the volume %q is mounted nowhere", volume.Name)
			}
			for _, source := range sources(volume) {
				if !o.has(source, external) {
					problem("the volume %q wants %s, which is not there", volume.Name, source)
				}
			}
		}
	}
	return problems
}

// sources are what a volume takes its files from, one for each key, such as
// "ConfigMap teams/teams.json".
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
				all = append(all, "a source that is not checked yet")
				continue
			}
			keys("ConfigMap "+source.ConfigMap.Name, source.ConfigMap.Items)
		}
	}
	return all
}

// has says whether an object, or a key of it, is in the plan or exists already.
// A plan does not know the keys of a Secret that is written without its state.
func (o *Objects) has(object string, external []string) bool {
	object, key, _ := strings.Cut(object, "/")
	if slices.Contains(external, object) {
		return true
	}
	if _, ok := o.All()[object]; !ok {
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

// references to Secrets other than by volumes are to Secrets that are there.
func (o *Objects) references(external []string) (problems []string) {
	want := func(object, secret string) {
		if !o.has("Secret "+secret, external) {
			problems = append(problems, fmt.Sprintf("%s wants Secret %s, which is not there", object, secret))
		}
	}
	for _, set := range o.StatefulSets {
		for _, secret := range secretsOf(set) {
			want("StatefulSet "+set.Name, secret)
		}
	}
	for _, ingress := range o.Ingresses {
		for _, tls := range ingress.Spec.TLS {
			want("Ingress "+ingress.Name, tls.SecretName)
		}
	}
	return problems
}

func secretsOf(set *appsv1.StatefulSet) (names []string) {
	for _, secret := range pod(set).ImagePullSecrets {
		names = append(names, secret.Name)
	}
	for _, source := range container(set).EnvFrom {
		if source.SecretRef != nil {
			names = append(names, source.SecretRef.Name)
		}
	}
	for _, variable := range container(set).Env {
		if variable.ValueFrom != nil && variable.ValueFrom.SecretKeyRef != nil {
			names = append(names, variable.ValueFrom.SecretKeyRef.Name)
		}
	}
	return names
}
