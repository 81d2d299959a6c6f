// Package kubernetes checks the Kubernetes objects that a Terraform plan of the
// module in tf/ would create.
package kubernetes

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	kjson "sigs.k8s.io/json"
)

// Render returns the objects that the plan would create. An argument of a resource
// that has no field in the API is an error, so that nothing goes unchecked.
func Render(plan Plan) (*Objects, error) {
	objects := &Objects{}
	for _, change := range plan.ResourceChanges {
		// A replaced resource is deleted too, but has a value afterwards.
		if change.Mode != "managed" || change.Change.After == nil {
			continue
		}
		object, err := objects.add(change.Type)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", change.Address, err)
		}
		if err := decodeResource(change.Change.After, object); err != nil {
			return nil, fmt.Errorf("%s: %w", change.Address, err)
		}
	}
	return objects, nil
}

// providerArguments are the arguments that control the provider and are not part of
// the object, and the content of a Secret, which a plan does not contain.
var providerArguments = []string{
	"id", "timeouts", "status", "wait_for_rollout", "wait_for_load_balancer", "wait_until_bound",
	"wait_for_default_service_account", "wait_for_service_account_token", "default_secret_name",
	"data_wo", "data_wo_revision", "binary_data_wo", "binary_data_wo_revision",
}

// decodeResource converts the arguments of a resource into an object of the API.
func decodeResource(attributes map[string]any, object any) error {
	attributes = maps.Clone(attributes)
	for _, name := range providerArguments {
		delete(attributes, name)
	}
	tree, err := convert(attributes, reflect.TypeOf(object).Elem(), "")
	if err != nil {
		return err
	}
	return decodeStrictly(tree, object)
}

// decodeStrictly decodes a tree of JSON values into an object. It returns an error
// for a field that the object does not have.
func decodeStrictly(tree, object any) error {
	text, err := json.Marshal(tree)
	if err != nil {
		return err
	}
	problems, err := kjson.UnmarshalStrict(text, object)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return problems[0]
	}
	return nil
}

// convert turns the value of an argument into the JSON value of a field of the given
// type. The provider has a list of one element where the API has an object, text
// where it has a number, and singular names for repeated blocks.
func convert(value any, t reflect.Type, path string) (any, error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[resource.Quantity]():
		return value, nil
	case reflect.TypeFor[intstr.IntOrString]():
		return intOrString(value), nil
	}
	switch t.Kind() {
	case reflect.Struct:
		return convertStruct(value, t, path)
	case reflect.Slice:
		return convertSlice(value, t, path)
	case reflect.Map:
		return convertMap(value, t, path)
	case reflect.Int, reflect.Int32, reflect.Int64:
		return integer(value, path)
	default:
		return value, nil
	}
}

func convertStruct(value any, t reflect.Type, path string) (any, error) {
	if list, ok := value.([]any); ok {
		if len(list) != 1 {
			return nil, fmt.Errorf("%s: %d blocks where the API has one object", path, len(list))
		}
		value = list[0]
	}
	attributes, ok := value.(map[string]any)
	if value != nil && !ok {
		return nil, fmt.Errorf("%s: %T where the API has an object", path, value)
	}
	tree := map[string]any{}
	for name, attribute := range attributes {
		if isAbsent(attribute) {
			continue
		}
		field, fieldType := fieldOf(t, name)
		if field == "" {
			return nil, fmt.Errorf("%s.%s: %s has no such field", path, name, t)
		}
		converted, err := convert(attribute, fieldType, path+"."+name)
		if err != nil {
			return nil, err
		}
		tree[field] = converted
	}
	return tree, nil
}

func convertSlice(value any, t reflect.Type, path string) (any, error) {
	list, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("%s: %T where the API has a list", path, value)
	}
	converted := make([]any, len(list))
	for i, element := range list {
		var err error
		if converted[i], err = convert(element, t.Elem(), fmt.Sprintf("%s[%d]", path, i)); err != nil {
			return nil, err
		}
	}
	return converted, nil
}

func convertMap(value any, t reflect.Type, path string) (any, error) {
	entries, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: %T where the API has a map", path, value)
	}
	converted := map[string]any{}
	for key, entry := range entries {
		var err error
		if converted[key], err = convert(entry, t.Elem(), path+"."+key); err != nil {
			return nil, err
		}
	}
	return converted, nil
}

// isAbsent reports whether an argument was not given. An empty block was: an empty
// selector and no selector mean different things.
func isAbsent(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// fieldOf finds the field of a struct, or of one inlined in it, for an argument: the
// field containers for container, and clusterIP for cluster_ip.
func fieldOf(t reflect.Type, argument string) (string, reflect.Type) {
	wanted := strings.ReplaceAll(argument, "_", "")
	var found reflect.StructField
	for _, field := range reflect.VisibleFields(t) {
		name := strings.ToLower(jsonName(field))
		if name == wanted {
			return jsonName(field), field.Type
		}
		if name == wanted+"s" {
			found = field
		}
	}
	if found.Name == "" {
		return "", nil
	}
	return jsonName(found), found.Type
}

func jsonName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

func intOrString(value any) any {
	text, ok := value.(string)
	if !ok {
		return value
	}
	if number, err := strconv.Atoi(text); err == nil {
		return number
	}
	return text
}

// integer converts a number that may be text, and is octal in file modes.
func integer(value any, path string) (any, error) {
	text, ok := value.(string)
	if !ok {
		return value, nil
	}
	base := 10
	if len(text) > 1 && text[0] == '0' {
		base = 8
	}
	number, err := strconv.ParseInt(text, base, 64)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return number, nil
}
