package handlers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// keyVisitor is told the path of a key, such as "teams.blue.users[0].email",
// and whether its object had that key before. An error ends the walk.
type keyVisitor func(path string, repeated bool) error

// eachKey visits every key of every object of a JSON text, which must be well
// formed. It tells what encoding/json passes over: of a key that is there
// twice the last one counts.
func eachKey(text []byte, visit keyVisitor) error {
	_, err := walkValue(text, "", visit)
	return err
}

// walkValue walks the value that the text begins with and returns what follows.
func walkValue(text []byte, path string, visit keyVisitor) (rest []byte, err error) {
	text = skipSpace(text)
	switch text[0] {
	case '{':
		return walkObject(text[1:], path, visit)
	case '[':
		return walkList(text[1:], path, visit)
	case '"':
		return text[stringLength(text):], nil
	}
	return text[len(text)-len(bytes.TrimLeft(text, "+-.0123456789Eaeflnrstu")):], nil
}

func walkObject(text []byte, path string, visit keyVisitor) (rest []byte, err error) {
	if path != "" {
		path += "."
	}
	var seen []string
	for text = skipSpace(text); text[0] != '}'; text = skipComma(text) {
		n := stringLength(text)
		key := string(text[1 : n-1])
		if strings.Contains(key, `\`) {
			if err := json.Unmarshal(text[:n], &key); err != nil {
				return nil, err
			}
		}
		if err := visit(path+key, slices.Contains(seen, key)); err != nil {
			return nil, err
		}
		seen = append(seen, key)
		afterColon := skipSpace(text[n:])[1:]
		if text, err = walkValue(afterColon, path+key, visit); err != nil {
			return nil, err
		}
	}
	return text[1:], nil
}

func walkList(text []byte, path string, visit keyVisitor) (rest []byte, err error) {
	text = skipSpace(text)
	for i := 0; text[0] != ']'; i++ {
		if text, err = walkValue(text, fmt.Sprintf("%s[%d]", path, i), visit); err != nil {
			return nil, err
		}
		text = skipComma(text)
	}
	return text[1:], nil
}

func skipSpace(text []byte) []byte { return bytes.TrimLeft(text, " \t\r\n") }

// skipComma goes on to the next value, or to the end of the object or list.
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
