package handlers

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// eachKey calls visit with every key of every object of a well-formed JSON
// text, as a path such as "teams.blue.users[0].email", and with whether its
// object had that key before, of which encoding/json says nothing. An error of
// visit ends the walk.
func eachKey(text []byte, visit func(path string, repeated bool) error) error {
	return walkKeys(json.NewDecoder(bytes.NewReader(text)), "", visit)
}

func walkKeys(d *json.Decoder, path string, visit func(string, bool) error) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		err = walkObject(d, path, visit)
	case json.Delim('['):
		for i := 0; d.More() && err == nil; i++ {
			err = walkKeys(d, fmt.Sprintf("%s[%d]", path, i), visit)
		}
	default:
		return nil
	}
	if err == nil {
		_, err = d.Token() // the end of the object or the list
	}
	return err
}

func walkObject(d *json.Decoder, path string, visit func(string, bool) error) error {
	if path != "" {
		path += "."
	}
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string) // as every key of a well-formed object is
		if err := visit(path+key, seen[key]); err != nil {
			return err
		}
		seen[key] = true
		if err := walkKeys(d, path+key, visit); err != nil {
			return err
		}
	}
	return nil
}

// article names, with its article, a type of JSON or the one that a kind of Go
// stands for.
func article(kind string) string {
	switch kind {
	case "array", "slice":
		return "a list"
	case "bool":
		return "a boolean"
	case "object", "struct", "map":
		return "an object"
	}
	return "a " + kind
}
