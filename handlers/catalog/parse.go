package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/handlers/strictjson"
)

func parse(text []byte) (*file, error) {
	var raw struct {
		Teams map[string]json.RawMessage `json:"teams"`
	}
	if err := decode(text, "", &raw); err != nil {
		return nil, err
	}
	if raw.Teams == nil {
		return nil, errors.New(`teams is required, such as {"teams": {"a-team": {"projects": ["a-project"], "users": ["a-user"]}}}`)
	}
	f := &file{Teams: map[string]team{}, byProject: map[string][]string{}, byUser: map[string][]string{}}
	for _, name := range slices.Sorted(maps.Keys(raw.Teams)) {
		if err := checkName(fmt.Sprintf("the team name %.60q", name), name); err != nil {
			return nil, err
		}
		path := "teams." + name
		t, err := parseTeam(raw.Teams[name], path)
		if err != nil {
			return nil, err
		}
		if err := f.add(name, t, path); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func parseTeam(text []byte, path string) (t team, err error) {
	var raw struct {
		Projects []json.RawMessage `json:"projects"`
		Users    []json.RawMessage `json:"users"`
	}
	if err := decode(text, path, &raw); err != nil {
		return t, err
	}
	for i, text := range raw.Projects {
		project, err := parseName(text, fmt.Sprintf("%s.projects[%d]", path, i))
		if err != nil {
			return t, err
		}
		t.Projects = append(t.Projects, project)
	}
	for i, text := range raw.Users {
		u, err := parseUser(text, fmt.Sprintf("%s.users[%d]", path, i))
		if err != nil {
			return t, err
		}
		t.Users = append(t.Users, u)
	}
	return t, nil
}

// parseUser reads a name or an object.
func parseUser(text []byte, path string) (u user, err error) {
	switch text[0] {
	case '"':
		u.Name, err = parseName(text, path)
	case '{':
		err = decode(text, path, &u)
	default:
		err = fmt.Errorf("%s must be a name or an object", path)
	}
	return u, err
}

func parseName(text []byte, path string) (name string, err error) {
	if text[0] != '"' {
		return "", fmt.Errorf("%s must be a string", path)
	}
	err = json.Unmarshal(text, &name)
	return name, err
}

// decode decodes the value at a path of the file. An empty path is the file.
func decode(text []byte, path string, dest any) error {
	err := strictjson.Decode(text, dest)
	var wrong *strictjson.Error
	if !errors.As(err, &wrong) {
		return err
	}
	switch {
	case path == "" && wrong.Path == "":
		path = "the file"
	case path == "":
		path = wrong.Path
	case wrong.Path != "":
		path += "." + wrong.Path
	}
	return fmt.Errorf("%s %s", path, wrong.Message)
}

// add adds a team to the file and its indexes.
func (f *file) add(name string, t team, path string) error {
	f.Teams[name] = t
	for i, project := range t.Projects {
		at := fmt.Sprintf("%s.projects[%d]", path, i)
		if err := checkName(at, project); err != nil {
			return err
		}
		if slices.Contains(f.byProject[project], name) {
			return fmt.Errorf("%s: %q appears more than once", at, project)
		}
		f.byProject[project] = append(f.byProject[project], name)
	}
	for i, u := range t.Users {
		at, names := fmt.Sprintf("%s.users[%d]", path, i), u.names()
		if len(names) == 0 {
			return fmt.Errorf("%s must have a name, github_username or email", at)
		}
		for _, n := range names {
			if err := checkName(at, n); err != nil {
				return err
			}
			if !slices.Contains(f.byUser[n], name) {
				f.byUser[n] = append(f.byUser[n], name)
			}
		}
	}
	return nil
}

// checkName checks the name of a team, project or user at a path.
func checkName(path, name string) error {
	if err := db.CheckName(name); err != nil {
		return fmt.Errorf("%s %w", path, err)
	}
	return nil
}
