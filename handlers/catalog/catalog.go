// Package catalog reads the CONFIG file: the teams with their projects and
// users.
package catalog

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"
)

// Catalog is the CONFIG file in use. It may be used, and reloaded,
// concurrently. The zero value has no teams.
type Catalog struct {
	path    string
	current atomic.Pointer[file]
}

// Project is a project of the file. Team is empty when several teams share it.
type Project struct {
	ID   string
	Team string
}

// Load reads the file. An empty path is a file without teams.
func Load(path string) (*Catalog, error) {
	c := &Catalog{path: path}
	return c, c.Reload()
}

// Reload reads the file again. On an error, which names the place in the file,
// the previous content stays in use.
func (c *Catalog) Reload() error {
	if c.path == "" {
		return nil
	}
	text, err := os.ReadFile(c.path)
	if err != nil {
		return fmt.Errorf("read teams: %w", err)
	}
	f, err := parse(text)
	if err != nil {
		return fmt.Errorf("read teams from %s: %w", c.path, err)
	}
	c.current.Store(f)
	return nil
}

// Team returns the team responsible for what a user, who may be empty, did to a
// project: the project's team if it has exactly one; else the user's, if it is
// exactly one; else the one that both have in common; else "".
func (c *Catalog) Team(project, user string) string {
	if f := c.current.Load(); f != nil {
		return f.team(project, user)
	}
	return ""
}

// Projects returns the projects that the file names, by name.
func (c *Catalog) Projects() []Project {
	f := c.current.Load()
	if f == nil {
		return nil
	}
	projects := make([]Project, 0, len(f.byProject))
	for _, id := range slices.Sorted(maps.Keys(f.byProject)) {
		projects = append(projects, Project{ID: id, Team: f.team(id, "")})
	}
	return projects
}

// Ignored returns the keys that the file has for the older service, in order. They
// have no effect.
func (c *Catalog) Ignored() []string {
	if f := c.current.Load(); f != nil {
		return slices.Sorted(maps.Keys(f.ignored))
	}
	return nil
}

// MarshalJSON returns the content in use, in the form of the file.
func (c *Catalog) MarshalJSON() ([]byte, error) {
	f := c.current.Load()
	if f == nil {
		f = &file{Teams: map[string]team{}}
	}
	return json.Marshal(f)
}

// file is the content of the file, with indexes from names to teams. Users are
// in lower case.
type file struct {
	Teams map[string]team `json:"teams"`

	byProject map[string][]string
	byUser    map[string][]string
	ignored   map[string]bool // the keys of the older service in the file
}

type team struct {
	Projects []string `json:"projects,omitempty"`
	Users    []user   `json:"users,omitempty"`
}

func (f *file) team(project, user string) string {
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

// user is written as a name, or as an object when GitHub or a mail system names
// them too.
type user struct {
	Name           string `json:"-"`
	GitHubUsername string `json:"github_username,omitempty"`
	Email          string `json:"email,omitempty"`
}

// names are what a request may call the user. GitHub and mail systems do not
// distinguish upper and lower case.
func (u user) names() []string {
	var names []string
	for _, name := range []string{u.Name, u.GitHubUsername, u.Email} {
		if name != "" {
			names = append(names, strings.ToLower(name))
		}
	}
	return names
}

// MarshalJSON writes the user as it was read.
func (u user) MarshalJSON() ([]byte, error) {
	if u.Name != "" {
		return json.Marshal(u.Name)
	}
	type object user // without this method
	return json.Marshal(object(u))
}
