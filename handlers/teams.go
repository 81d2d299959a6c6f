package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"unicode/utf8"
)

// Teams says which team answers for which project. It is read from a JSON file
// and can be read again while it is in use. The zero value knows no team.
type Teams struct {
	path    string
	current atomic.Pointer[teamsFile]
}

// teamsFile is the content of the file, and what is looked up in it.
type teamsFile struct {
	Teams map[string]team `json:"teams"`

	byProject map[string][]string
	byUser    map[string][]string
}

type team struct {
	Projects []string `json:"projects,omitempty"`
	Users    []user   `json:"users,omitempty"`
}

// user is written as a name, or as an object when there is more than one.
type user struct {
	Name           string `json:"-"`
	GitHubUsername string `json:"github_username,omitempty"`
	Email          string `json:"email,omitempty"`
}

// Project is a project of the teams file. Team is empty when several teams
// share it.
type Project struct {
	ID   string
	Team string
}

// LoadTeams reads the file. An empty path is a file without teams.
func LoadTeams(path string) (*Teams, error) {
	t := &Teams{path: path}
	return t, t.Reload()
}

// Reload reads the file again. When it cannot be used, the error names the
// place in it and the content read before stays.
func (t *Teams) Reload() error {
	if t.path == "" {
		return nil
	}
	content, err := os.ReadFile(t.path)
	if err != nil {
		return fmt.Errorf("read teams: %w", err)
	}
	file, err := parseTeams(content)
	if err != nil {
		return fmt.Errorf("read teams from %s: %w", t.path, err)
	}
	t.current.Store(file)
	return nil
}

// Find returns the team that answers for what the user, who may be empty, did
// to the project: the project's team if it has exactly one; else the user's, if
// it is exactly one; else the one that both have in common; else none.
func (t *Teams) Find(project, user string) string {
	if file := t.current.Load(); file != nil {
		return file.find(project, user)
	}
	return ""
}

func (f *teamsFile) find(project, user string) string {
	ofProject, ofUser := f.byProject[project], f.byUser[strings.ToLower(user)]
	if len(ofProject) == 1 {
		return ofProject[0]
	}
	if len(ofUser) == 1 {
		return ofUser[0]
	}
	var shared []string
	for _, name := range ofProject {
		if slices.Contains(ofUser, name) {
			shared = append(shared, name)
		}
	}
	if len(shared) == 1 {
		return shared[0]
	}
	return ""
}

// Projects returns the projects that the file names, by name.
func (t *Teams) Projects() []Project {
	file := t.current.Load()
	if file == nil {
		return nil
	}
	projects := make([]Project, 0, len(file.byProject))
	for _, id := range slices.Sorted(maps.Keys(file.byProject)) {
		projects = append(projects, Project{ID: id, Team: file.find(id, "")})
	}
	return projects
}

// MarshalJSON writes the content as it is in use.
func (t *Teams) MarshalJSON() ([]byte, error) {
	file := t.current.Load()
	if file == nil {
		file = &teamsFile{Teams: map[string]team{}}
	}
	return json.Marshal(file)
}

func parseTeams(content []byte) (*teamsFile, error) {
	switch {
	case !utf8.Valid(content):
		return nil, errors.New("it is not valid UTF-8")
	case bytes.HasPrefix(content, []byte(byteOrderMark)):
		return nil, errors.New("it begins with a byte order mark: save it as UTF-8 without one")
	}
	var raw struct {
		Teams map[string]json.RawMessage `json:"teams"`
	}
	if err := decodeStrict(content, &raw); err != nil {
		return nil, explainTeams("", err, content)
	}
	if err := eachKey(content, oncePerObject); err != nil {
		return nil, err
	}
	if raw.Teams == nil {
		return nil, errors.New(`the key "teams" is required: {"teams": {"a-team": {"projects": ["a-project"], "users": ["a-user"]}}}`)
	}
	file := &teamsFile{Teams: map[string]team{}, byProject: map[string][]string{}, byUser: map[string][]string{}}
	for _, name := range slices.Sorted(maps.Keys(raw.Teams)) {
		var t team
		if err := decodeStrict(raw.Teams[name], &t); err != nil {
			return nil, explainTeams("teams."+name, err, nil)
		}
		if err := file.index(name, t); err != nil {
			return nil, err
		}
		file.Teams[name] = t
	}
	return file, nil
}

func decodeStrict(content []byte, dest any) error {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(dest); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something after the JSON object")
	}
	return nil
}

// oncePerObject refuses a team that is there twice: only the second would count.
func oncePerObject(key string, repeated bool) error {
	if repeated {
		return fmt.Errorf("%s: the key is there twice", key)
	}
	return nil
}

func (f *teamsFile) index(name string, t team) error {
	at := "teams." + name
	if err := checkName(at, name); err != nil {
		return err
	}
	for i, project := range t.Projects {
		if err := checkName(fmt.Sprintf("%s.projects[%d]", at, i), project); err != nil {
			return err
		}
		if slices.Contains(f.byProject[project], name) {
			return fmt.Errorf("%s.projects[%d]: %q is there twice", at, i, project)
		}
		f.byProject[project] = append(f.byProject[project], name)
	}
	for i, u := range t.Users {
		names := u.names()
		if len(names) == 0 {
			return fmt.Errorf("%s.users[%d]: a name, github_username or email is required", at, i)
		}
		for _, n := range names {
			if err := checkName(fmt.Sprintf("%s.users[%d]", at, i), n); err != nil {
				return err
			}
			if !slices.Contains(f.byUser[n], name) {
				f.byUser[n] = append(f.byUser[n], name)
			}
		}
	}
	return nil
}

func checkName(at, name string) error {
	var f fields
	f.name(at, name)
	if len(f.errs) > 0 {
		return fmt.Errorf("%s: %s", at, f.errs[0].Message)
	}
	return nil
}

// names are what a request may call the user. GitHub and mail systems do not
// tell upper from lower case.
func (u user) names() []string {
	var names []string
	for _, name := range []string{u.Name, u.GitHubUsername, u.Email} {
		if name != "" {
			names = append(names, strings.ToLower(name))
		}
	}
	return names
}

// UnmarshalJSON reads a name or an object.
func (u *user) UnmarshalJSON(content []byte) error {
	if content[0] == '"' {
		return json.Unmarshal(content, &u.Name)
	}
	type object user // without this method
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	return decoder.Decode((*object)(u))
}

// MarshalJSON writes the user as it was read.
func (u user) MarshalJSON() ([]byte, error) {
	if u.Name != "" {
		return json.Marshal(u.Name)
	}
	type object user
	return json.Marshal(object(u))
}

// explainTeams says what is wrong at a place of the file, "" for the top of it.
func explainTeams(place string, err error, content []byte) error {
	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &wrongType):
		place = strings.Trim(place+"."+wrongType.Field, ".")
		if place == "" {
			place = "the file"
		}
		want := article(wrongType.Type.Kind().String())
		if strings.HasSuffix(place, ".users") && want == "an object" {
			want = "a name or an object"
		}
		return fmt.Errorf("%s is %s: it must be %s", place, article(wrongType.Value), want)
	case errors.As(err, &syntax):
		line := 1 + bytes.Count(content[:syntax.Offset], []byte("\n"))
		return fmt.Errorf("it is not JSON: %w (line %d)", syntax, line)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it is not complete JSON: the object does not end")
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		if place != "" {
			place += ": "
		}
		return fmt.Errorf("%sthe key %s is not known: the file has teams, a team has projects and users, "+
			"a user is a name or has github_username and email", place, name)
	}
	return err
}
