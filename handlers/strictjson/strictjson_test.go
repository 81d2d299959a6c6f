package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/em-metrics/em-metrics/handlers/strictjson"
)

type record struct {
	ID   *string        `json:"id"`
	Tags []string       `json:"tags,omitempty"`
	Any  map[string]any `json:"any"`
	Note string         `json:"-"`
	Old  any            `json:"old" strictjson:"unlisted"`
}

// texts are JSON texts, each with what is wrong with it; "" means nothing.
var texts = map[string]string{
	`{}`:                "",
	` null `:            "",
	`{"old": {"a": 1}}`: "",
	`{"id": "1", "tags": [], "any": {"a": 1, "b": {"a": [true, -1.5e3, "\"}"]}}}`: "",

	``:                                  "the JSON text is empty",
	`{"id": "1`:                         "the JSON text is incomplete: the JSON object does not end",
	"{\n  \"id\": 1x}":                  "the JSON text is not valid JSON: invalid character 'x' after object key:value pair (line 2, column 10)",
	"{\"id\": \"\xff\"}":                "the JSON text is not valid UTF-8",
	`{"id": "\ud800"}`:                  `id has \ud800, which is half of a surrogate pair and no character`,
	`{"id": "\uD83D\uDE80\\ud800\\\\"}`: "",
	`{"id": "a\ude80\ud83d"}`:           `id has \ude80, which is half of a surrogate pair and no character`,
	`{"id": "\ud83d\u0041"}`:            `id has \ud83d, which is half of a surrogate pair and no character`,
	`{"id": "\ud83d\nde80"}`:            `id has \ud83d, which is half of a surrogate pair and no character`,
	`{"id": "\ud83d🚀"}`:                 `id has \ud83d, which is half of a surrogate pair and no character`,
	`{"id": "\\\udfff"}`:                `id has \udfff, which is half of a surrogate pair and no character`,
	`{"tags": ["", "\udbff"]}`:          `tags[1] has \udbff, which is half of a surrogate pair and no character`,
	`{"any": {"\udbff": 1}}`:            "any.\ufffd has \\udbff, which is half of a surrogate pair and no character",
	`{"any": {"a": {"b": ["\udc00"]}}}`: `any.a.b[0] has \udc00, which is half of a surrogate pair and no character`,
	"\uFEFF{}":                          "the JSON text starts with a byte order mark; use UTF-8 without one",
	`{} {}`:                             "the JSON text has data after the JSON object",
	`[]`:                                "the JSON text must be an object, not a list",
	`{"id": 1}`:                         "id must be a string, not a number",
	`{"tags": {}}`:                      "tags must be a list, not an object",
	`{"any": true}`:                     "any must be an object, not a boolean",
	`{"ID": "1"}`:                       "ID is not a known field; known fields: id, tags, any",
	`{"": "1"}`:                         `"" is not a known field; known fields: id, tags, any`,
	`{"-": "1"}`:                        "- is not a known field; known fields: id, tags, any",
	`{"id": "1", "\u0069d": ""}`:        "id appears more than once",
	`{"Old": "1"}`:                      "Old is not a known field; known fields: id, tags, any",
	`{"any": {"a": [0, {"b": 1, "c": [], "b": 2}]}}`: "any.a[1].b appears more than once",
}

func TestDecode(t *testing.T) {
	for text, want := range texts {
		var r record
		err := strictjson.Decode([]byte(text), &r)
		var wrong *strictjson.Error
		switch {
		case want == "" && err != nil, want != "" && !errors.As(err, &wrong), want != "" && err.Error() != want:
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
	}
}

// FuzzDecode expects that what is accepted is what encoding/json reads too, and
// that nothing in it was replaced.
func FuzzDecode(f *testing.F) {
	for text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var strict, lenient record
		if err := strictjson.Decode(text, &strict); err != nil {
			return
		}
		if err := json.Unmarshal(text, &lenient); err != nil || !reflect.DeepEqual(strict, lenient) {
			t.Fatalf("%s: %+v, %+v, %v", text, strict, lenient, err)
		}
		written := bytes.Contains(text, []byte("\ufffd")) || bytes.Contains(bytes.ToLower(text), []byte(`\ufffd`))
		if strings.Contains(fmt.Sprint(strict.Tags, strict.Any), "\ufffd") && !written {
			t.Fatalf("%s: a character was replaced in %+v", text, strict)
		}
	})
}
