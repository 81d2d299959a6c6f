package strictjson_test

import (
	"encoding/json"
	"errors"
	"reflect"
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

	``:                           "the JSON text is empty",
	`{"id": "1`:                  "the JSON text is incomplete: the JSON object does not end",
	"{\n  \"id\": 1x}":           "the JSON text is not valid JSON: invalid character 'x' after object key:value pair (line 2, column 10)",
	"{\"id\": \"\xff\"}":         "the JSON text is not valid UTF-8",
	"\uFEFF{}":                   "the JSON text starts with a byte order mark; use UTF-8 without one",
	`{} {}`:                      "the JSON text has data after the JSON object",
	`[]`:                         "the JSON text must be an object, not a list",
	`{"id": 1}`:                  "id must be a string, not a number",
	`{"tags": {}}`:               "tags must be a list, not an object",
	`{"any": true}`:              "any must be an object, not a boolean",
	`{"ID": "1"}`:                "ID is not a known field; known fields: id, tags, any",
	`{"Old": "1"}`:               "Old is not a known field; known fields: id, tags, any",
	`{"": "1"}`:                  `"" is not a known field; known fields: id, tags, any`,
	`{"-": "1"}`:                 "- is not a known field; known fields: id, tags, any",
	`{"id": "1", "\u0069d": ""}`: "id appears more than once",
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

// FuzzDecode expects that what is accepted is what encoding/json reads too.
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
	})
}
