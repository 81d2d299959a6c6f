package kubernetes

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Objects holds the objects that a plan would create, by kind.
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

// manifest is an object of any kind, with access to its kind and metadata.
type manifest interface {
	runtime.Object
	metav1.Object
}

// added appends a new object of a kind to the list and returns it.
func added[T any, P interface {
	*T
	manifest
}](list *[]*T, kind schema.GroupVersionKind) manifest {
	added := P(new(T))
	added.GetObjectKind().SetGroupVersionKind(kind)
	*list = append(*list, added)
	return added
}

// add adds an empty object for a resource of the given Terraform type.
func (o *Objects) add(resourceType string) (manifest, error) {
	core, apps := corev1.SchemeGroupVersion, appsv1.SchemeGroupVersion
	networking, policy := networkingv1.SchemeGroupVersion, policyv1.SchemeGroupVersion
	switch resourceType {
	case "kubernetes_namespace_v1":
		return added(&o.Namespaces, core.WithKind("Namespace")), nil
	case "kubernetes_service_account_v1":
		return added(&o.ServiceAccounts, core.WithKind("ServiceAccount")), nil
	case "kubernetes_config_map_v1":
		return added(&o.ConfigMaps, core.WithKind("ConfigMap")), nil
	case "kubernetes_secret_v1":
		return added(&o.Secrets, core.WithKind("Secret")), nil
	case "kubernetes_persistent_volume_claim_v1":
		return added(&o.Claims, core.WithKind("PersistentVolumeClaim")), nil
	case "kubernetes_service_v1":
		return added(&o.Services, core.WithKind("Service")), nil
	case "kubernetes_stateful_set_v1":
		return added(&o.StatefulSets, apps.WithKind("StatefulSet")), nil
	case "kubernetes_ingress_v1":
		return added(&o.Ingresses, networking.WithKind("Ingress")), nil
	case "kubernetes_network_policy_v1":
		return added(&o.NetworkPolicies, networking.WithKind("NetworkPolicy")), nil
	case "kubernetes_pod_disruption_budget_v1":
		return added(&o.PodDisruptionBudgets, policy.WithKind("PodDisruptionBudget")), nil
	}
	return nil, fmt.Errorf("resources of type %s are not supported by the checks: add their kind", resourceType)
}

// list returns every object. An object comes after those that it needs.
func (o *Objects) list() []manifest {
	return slices.Concat(
		upcast(o.Namespaces), upcast(o.ServiceAccounts), upcast(o.ConfigMaps), upcast(o.Secrets), upcast(o.Claims),
		upcast(o.Services), upcast(o.StatefulSets), upcast(o.Ingresses), upcast(o.NetworkPolicies), upcast(o.PodDisruptionBudgets),
	)
}

func upcast[T manifest](objects []T) []manifest {
	list := make([]manifest, len(objects))
	for i, object := range objects {
		list[i] = object
	}
	return list
}

// title returns the kind and name of an object, such as "Service em-metrics".
func title(m manifest) string {
	return m.GetObjectKind().GroupVersionKind().Kind + " " + m.GetName()
}

// pod returns the pod of a StatefulSet.
func pod(set *appsv1.StatefulSet) *corev1.PodSpec { return &set.Spec.Template.Spec }

// container returns the only container of a StatefulSet.
func container(set *appsv1.StatefulSet) *corev1.Container { return &pod(set).Containers[0] }
