package strictjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// checkKeys walks a well-formed JSON text. It finds what encoding/json
// tolerates: a key of the outermost object that is not one of those given, and a
// key that appears more than once in its object, of which the last one counts.
func checkKeys(text []byte, outermost *keys) error {
	text = skipSpace(text)
	if text[0] != '{' {
		return nil
	}
	_, err := walkObject(text[1:], "", outermost)
	return err
}

// walkValue walks the value that the text begins with and returns what follows.
func walkValue(text []byte, path string) (rest []byte, err error) {
	text = skipSpace(text)
	switch text[0] {
	case '{':
		return walkObject(text[1:], path+".", nil)
	case '[':
		return walkList(text[1:], path)
	case '"':
		return text[stringLength(text):], nil
	}
	return text[len(text)-len(bytes.TrimLeft(text, "+-.0123456789Eaeflnrstu")):], nil
}

// walkObject walks the members of an object. Nil accepts any key.
func walkObject(text []byte, prefix string, accepted *keys) (rest []byte, err error) {
	var seen []string
	for text = skipSpace(text); text[0] != '}'; text = skipComma(text) {
		n := stringLength(text)
		key := string(text[1 : n-1])
		if strings.Contains(key, `\`) {
			if err := json.Unmarshal(text[:n], &key); err != nil {
				return nil, err
			}
		}
		path := prefix + key
		if key == "" {
			path += `""`
		}
		switch {
		case !accepted.accept(key):
			return nil, &Error{path, "is not a known field; known fields: " + strings.Join(accepted.known, ", ")}
		case slices.Contains(seen, key):
			return nil, &Error{path, "appears more than once"}
		}
		seen = append(seen, key)
		afterColon := skipSpace(text[n:])[1:]
		if text, err = walkValue(afterColon, path); err != nil {
			return nil, err
		}
	}
	return text[1:], nil
}

func walkList(text []byte, path string) (rest []byte, err error) {
	text = skipSpace(text)
	for i := 0; text[0] != ']'; i++ {
		if text, err = walkValue(text, fmt.Sprintf("%s[%d]", path, i)); err != nil {
			return nil, err
		}
		text = skipComma(text)
	}
	return text[1:], nil
}

func skipSpace(text []byte) []byte { return bytes.TrimLeft(text, " \t\r\n") }

// skipComma skips to the next value, or to the end of the object or list.
func skipComma(text []byte) []byte { return skipSpace(bytes.TrimPrefix(skipSpace(text), []byte(","))) }

// stringLength is the length of the string that the text begins with, with its
// quotes.
func stringLength(text []byte) int {
	for i := 1; ; i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}
