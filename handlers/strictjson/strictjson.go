// Package strictjson decodes JSON without the leniency of encoding/json.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"
)

const byteOrderMark = "\uFEFF"

// Error is a mistake in a JSON text.
type Error struct {
	// Path leads to the value, such as "users[0].email". It is empty for the
	// text as a whole.
	Path string
	// Message says what is wrong. It reads on from the path: "must be a
	// string, not a number".
	Message string
}

// Error returns the path and the message.
func (e *Error) Error() string {
	if e.Path == "" {
		return "the JSON text " + e.Message
	}
	return e.Path + " " + e.Message
}

// Decode decodes a JSON object, or null, into dest, a pointer to a struct.
// Unlike [json.Unmarshal] it does not accept a key that is not the exact name
// of a field, a key that appears more than once in its object, at any depth,
// invalid UTF-8, or an escape such as \ud800 that is no character. Every error is
// an [*Error], and one about an unknown key lists the known ones, except those of
// fields with the tag strictjson:"unlisted". A field with the tag strictjson:"strict"
// decodes strictly by itself, and may return an [*Error] whose path is complete.
func Decode(text []byte, dest any) error {
	switch {
	case !utf8.Valid(text):
		return &Error{Message: "is not valid UTF-8"}
	case bytes.HasPrefix(text, []byte(byteOrderMark)):
		return &Error{Message: "starts with a byte order mark; use UTF-8 without one"}
	}
	err := json.Unmarshal(text, dest)
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return explainSyntax(text, dest)
	case err != nil:
		return explain(err, text)
	}
	return checkText(text, newKeys(reflect.TypeOf(dest).Elem()))
}

// explainSyntax explains why a text is not well formed. A decoder, which takes longer
// because it reads a stream, tells apart a text that ends too early and one that does
// not end.
func explainSyntax(text []byte, dest any) *Error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(dest); err != nil {
		return explain(err, text)
	}
	return &Error{Message: "has data after the JSON object"}
}

// explain turns an error of encoding/json into one for whoever wrote the text.
func explain(err error, text []byte) *Error {
	var strict *Error
	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &strict):
		return strict
	case errors.As(err, &wrongType):
		return &Error{wrongType.Field, fmt.Sprintf("must be %s, not %s",
			typeName(wrongType.Type.Kind().String()), typeName(wrongType.Value))}
	case errors.As(err, &syntax):
		before := text[:syntax.Offset]
		return &Error{"", fmt.Sprintf("is not valid JSON: %v (line %d, column %d)", syntax,
			bytes.Count(before, []byte("\n"))+1, len(before)-bytes.LastIndexByte(before, '\n')-1)}
	case errors.Is(err, io.EOF):
		return &Error{Message: "is empty"}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Message: "is incomplete: the JSON object does not end"}
	}
	return &Error{Message: "cannot be decoded: " + err.Error()}
}

// typeName names, with its article, a type of JSON or the one that a kind of Go
// stands for.
func typeName(kind string) string {
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

// keys are the keys that are decoded into a struct.
type keys struct {
	known    []string
	unlisted []string // accepted, but errors do not recommend them
	strict   string   // the one whose value needs no check
}

// newKeys returns the keys of a struct. A field with the tag strictjson:"unlisted"
// is unlisted.
func newKeys(of reflect.Type) *keys {
	var k keys
	for i := range of.NumField() {
		field := of.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case field.Tag.Get("strictjson") == "strict":
			k.known, k.strict = append(k.known, name), name
		case field.Tag.Get("strictjson") == "unlisted":
			k.unlisted = append(k.unlisted, name)
		default:
			k.known = append(k.known, name)
		}
	}
	return &k
}

// find returns a key that is accepted without a copy of its text.
func (k *keys) find(text []byte) (key string, ok bool) {
	if k == nil {
		return string(text), true
	}
	for _, keys := range [2][]string{k.known, k.unlisted} {
		for _, key := range keys {
			if string(text) == key {
				return key, true
			}
		}
	}
	return string(text), false
}
