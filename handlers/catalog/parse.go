package catalog

import (
	"bytes"
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
		Teams          map[string]json.RawMessage `json:"teams"`
		Ticketing      json.RawMessage            `json:"ticketing" strictjson:"unlisted"`
		VersionControl json.RawMessage            `json:"version_control" strictjson:"unlisted"`
	}
	if err := decode(text, "", &raw); err != nil {
		return nil, err
	}
	if string(bytes.TrimSpace(text)) == "null" {
		return nil, errors.New("the file must be an object, not null")
	}
	f := &file{Teams: map[string]team{}, byProject: map[string][]string{}, byUser: map[string][]string{}, ignored: map[string]bool{}}
	f.ignore("ticketing", raw.Ticketing)
	f.ignore("version_control", raw.VersionControl)
	for _, name := range slices.Sorted(maps.Keys(raw.Teams)) {
		if err := checkName(fmt.Sprintf("the team name %.60q", name), name); err != nil {
			return nil, err
		}
		path := "teams." + name
		t, err := f.parseTeam(raw.Teams[name], path)
		if err != nil {
			return nil, err
		}
		if err := f.add(name, t, path); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// ignore notes a key of the older service, if the file has it.
func (f *file) ignore(key string, value json.RawMessage) {
	if value != nil {
		f.ignored[key] = true
	}
}

func (f *file) parseTeam(text []byte, path string) (t team, err error) {
	var raw struct {
		Projects       []json.RawMessage `json:"projects"`
		Users          []json.RawMessage `json:"users"`
		ID             json.RawMessage   `json:"id" strictjson:"unlisted"`
		GitHubTeamName json.RawMessage   `json:"github_team_name" strictjson:"unlisted"`
		LinearTeamID   json.RawMessage   `json:"linear_team_id" strictjson:"unlisted"`
	}
	if err := decode(text, path, &raw); err != nil {
		return t, err
	}
	f.ignore("id", raw.ID)
	f.ignore("github_team_name", raw.GitHubTeamName)
	f.ignore("linear_team_id", raw.LinearTeamID)
	for i, text := range raw.Projects {
		project, err := parseName(text, fmt.Sprintf("%s.projects[%d]", path, i))
		if err != nil {
			return t, err
		}
		t.Projects = append(t.Projects, project)
	}
	for i, text := range raw.Users {
		u, err := f.parseUser(text, fmt.Sprintf("%s.users[%d]", path, i))
		if err != nil {
			return t, err
		}
		if len(u.names()) > 0 {
			t.Users = append(t.Users, u)
		}
	}
	return t, nil
}

// parseUser reads a name or an object. A user whom only the older service can
// recognize has no names.
func (f *file) parseUser(text []byte, path string) (u user, err error) {
	var older bool
	switch text[0] {
	case '"':
		u.Name, err = parseName(text, path)
	case '{':
		u, older, err = f.parseUserObject(text, path)
	default:
		err = fmt.Errorf("%s must be a name or an object", path)
	}
	if err != nil {
		return u, err
	}
	names := u.names()
	if len(names) == 0 && !older {
		return u, fmt.Errorf("%s must have a name, github_username or email", path)
	}
	for _, name := range names {
		if err := checkName(path, name); err != nil {
			return u, err
		}
	}
	return u, nil
}

func (f *file) parseUserObject(text []byte, path string) (u user, older bool, err error) {
	var raw struct {
		GitHubUsername string          `json:"github_username"`
		Email          string          `json:"email"`
		SlackMemberID  json.RawMessage `json:"slack_member_id" strictjson:"unlisted"`
	}
	err = decode(text, path, &raw)
	f.ignore("slack_member_id", raw.SlackMemberID)
	return user{GitHubUsername: raw.GitHubUsername, Email: raw.Email}, raw.SlackMemberID != nil, err
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
	for _, u := range t.Users {
		for _, n := range u.names() {
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
