package kubernetes

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Objects are what a plan would make, by kind.
type Objects struct {
	Namespaces           []*corev1.Namespace
	ServiceAccounts      []*corev1.ServiceAccount
	ConfigMaps           []*corev1.ConfigMap
	Secrets              []*corev1.Secret
	Claims               []*corev1.PersistentVolumeClaim
	Services             []*corev1.Service
	StatefulSets         []*appsv1.StatefulSet
	Ingresses            []*networkingv1.Ingress
	NetworkPolicies      []*networkingv1.NetworkPolicy
	PodDisruptionBudgets []*policyv1.PodDisruptionBudget
}

func added[T any](list *[]*T) *T {
	object := new(T)
	*list = append(*list, object)
	return object
}

func (o *Objects) add(resourceType string) (any, error) {
	switch resourceType {
	case "kubernetes_namespace_v1":
		return added(&o.Namespaces), nil
	case "kubernetes_service_account_v1":
		return added(&o.ServiceAccounts), nil
	case "kubernetes_config_map_v1":
		return added(&o.ConfigMaps), nil
	case "kubernetes_secret_v1":
		return added(&o.Secrets), nil
	case "kubernetes_persistent_volume_claim_v1":
		return added(&o.Claims), nil
	case "kubernetes_service_v1":
		return added(&o.Services), nil
	case "kubernetes_stateful_set_v1":
		return added(&o.StatefulSets), nil
	case "kubernetes_ingress_v1":
		return added(&o.Ingresses), nil
	case "kubernetes_network_policy_v1":
		return added(&o.NetworkPolicies), nil
	case "kubernetes_pod_disruption_budget_v1":
		return added(&o.PodDisruptionBudgets), nil
	}
	return nil, fmt.Errorf("resources of the type %s are not checked yet: add their kind", resourceType)
}

// All are the objects with what every object has, by kind and name.
func (o *Objects) All() map[string]*metav1.ObjectMeta {
	all := map[string]*metav1.ObjectMeta{}
	collect(all, "Namespace", o.Namespaces, func(x *corev1.Namespace) *metav1.ObjectMeta { return &x.ObjectMeta })
	collect(all, "ServiceAccount", o.ServiceAccounts, func(x *corev1.ServiceAccount) *metav1.ObjectMeta { return &x.ObjectMeta })
	collect(all, "ConfigMap", o.ConfigMaps, func(x *corev1.ConfigMap) *metav1.ObjectMeta { return &x.ObjectMeta })
	collect(all, "Secret", o.Secrets, func(x *corev1.Secret) *metav1.ObjectMeta { return &x.ObjectMeta })
	collect(all, "PersistentVolumeClaim", o.Claims, func(x *corev1.PersistentVolumeClaim) *metav1.ObjectMeta { return &x.ObjectMeta })
	collect(all, "Service", o.Services, func(x *corev1.Service) *metav1.ObjectMeta { return &x.ObjectMeta })
	collect(all, "StatefulSet", o.StatefulSets, func(x *appsv1.StatefulSet) *metav1.ObjectMeta { return &x.ObjectMeta })
	collect(all, "Ingress", o.Ingresses, func(x *networkingv1.Ingress) *metav1.ObjectMeta { return &x.ObjectMeta })
	collect(all, "NetworkPolicy", o.NetworkPolicies, func(x *networkingv1.NetworkPolicy) *metav1.ObjectMeta { return &x.ObjectMeta })
	collect(all, "PodDisruptionBudget", o.PodDisruptionBudgets, func(x *policyv1.PodDisruptionBudget) *metav1.ObjectMeta { return &x.ObjectMeta })
	return all
}

func collect[T any](all map[string]*metav1.ObjectMeta, kind string, objects []*T, meta func(*T) *metav1.ObjectMeta) {
	for _, object := range objects {
		m := meta(object)
		all[kind+" "+m.Name] = m
	}
}

// pod is the pod that a StatefulSet makes.
func pod(set *appsv1.StatefulSet) *corev1.PodSpec { return &set.Spec.Template.Spec }

// container is its only container.
func container(set *appsv1.StatefulSet) *corev1.Container { return &pod(set).Containers[0] }
