package strictjson

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// checkText walks a well-formed JSON text. It finds what encoding/json
// tolerates: a key of the outermost object that is not one of those given, a key
// that appears more than once in its object, of which the last one counts, and
// half of a surrogate pair, which is replaced by U+FFFD.
func checkText(text []byte, outermost *keys) error {
	text = skipSpace(text)
	if text[0] != '{' {
		return nil
	}
	_, err := walkObject(text[1:], nil, outermost)
	return err
}

// place is the position of a value in the text, nil for the outermost object. It becomes a
// path only in an error, because there may be many.
type place struct {
	outer *place
	key   string // empty for an element of a list
	index int
}

// path returns the path of the value.
func (p *place) path() string {
	switch {
	case p == nil:
		return ""
	case p.key == "":
		return p.outer.path() + "[" + strconv.Itoa(p.index) + "]"
	case p.outer == nil:
		return p.key
	}
	return p.outer.path() + "." + p.key
}

// walkValue walks the value that the text begins with and returns what follows.
func walkValue(text []byte, at *place) (rest []byte, err error) {
	text = skipSpace(text)
	switch text[0] {
	case '{':
		return walkObject(text[1:], at, nil)
	case '[':
		return walkList(text[1:], at)
	case '"':
		n := stringLength(text)
		return text[n:], checkSurrogates(text[:n], at)
	}
	return text[len(text)-len(bytes.TrimLeft(text, "+-.0123456789Eaeflnrstu")):], nil
}

// walkObject walks the members of an object. Nil accepts any key.
func walkObject(text []byte, object *place, accepted *keys) (rest []byte, err error) {
	var few [16]string
	seen := few[:0]
	for text = skipSpace(text); text[0] != '}'; text = skipComma(text) {
		n := stringLength(text)
		key, known := accepted.find(text[1 : n-1])
		if strings.Contains(key, `\`) {
			if err := json.Unmarshal(text[:n], &key); err != nil {
				return nil, err
			}
			key, known = accepted.find([]byte(key))
		}
		at := place{outer: object, key: cmp.Or(key, `""`)}
		switch {
		case !known:
			return nil, &Error{at.path(), "is not a known field; known fields: " + strings.Join(accepted.known, ", ")}
		case slices.Contains(seen, key):
			return nil, &Error{at.path(), "appears more than once"}
		}
		if err := checkSurrogates(text[:n], &at); err != nil {
			return nil, err
		}
		seen = append(seen, key)
		afterColon := skipSpace(text[n:])[1:]
		if accepted != nil && key == accepted.strict {
			text = skipValue(afterColon)
		} else if text, err = walkValue(afterColon, &at); err != nil {
			return nil, err
		}
	}
	return text[1:], nil
}

func walkList(text []byte, list *place) (rest []byte, err error) {
	text = skipSpace(text)
	for i := 0; text[0] != ']'; i++ {
		if text, err = walkValue(text, &place{outer: list, index: i}); err != nil {
			return nil, err
		}
		text = skipComma(text)
	}
	return text[1:], nil
}

// skipValue skips the value that the text begins with.
func skipValue(text []byte) (rest []byte) {
	for depth := 0; ; {
		i := bytes.IndexAny(text, "\"[]{},")
		switch c := text[i]; {
		case c == '"':
			i += stringLength(text[i:]) - 1
		case c == '[' || c == '{':
			depth++
		case depth == 0: // the value has ended before this
			return text[i:]
		case c != ',':
			depth--
		}
		text = text[i+1:]
	}
}

// checkSurrogates checks that the \u escapes of a string encode characters: half
// of a surrogate pair is none.
func checkSurrogates(text []byte, at *place) error {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		first := escape(text[i:])
		if !utf16.IsSurrogate(first) {
			i++ // the escaped byte may be a backslash
			continue
		}
		if utf16.DecodeRune(first, escape(text[i+escapeLength:])) == utf8.RuneError {
			return &Error{at.path(), `has \u` + strconv.FormatInt(int64(first), 16) + `, which is half of a surrogate pair and no character`}
		}
		i += 2*escapeLength - 1
	}
	return nil
}

const escapeLength = len(`\u0000`)

// escape returns the UTF-16 code unit of the \u escape that the text begins
// with, or -1 if it begins with anything else.
func escape(text []byte) rune {
	if len(text) < escapeLength || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	unit, err := strconv.ParseUint(string(text[2:escapeLength]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(unit)
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
