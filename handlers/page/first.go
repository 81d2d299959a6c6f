package page

import (
	"net/http"
	"regexp"
)

// Credential is a kind of credential.
type Credential int

// The kinds of credentials.
const (
	NoCredential Credential = iota
	Token
	Password
)

// firstView is shown while the store is empty: example requests to paste into a
// shell, and a hint on the credential they need.
type firstView struct{ Start, Finish, Incident, Credential string }

// plainHost matches a host that has no special meaning to a shell.
var plainHost = regexp.MustCompile(`^[A-Za-z0-9.:\[\]-]+$`)

func newFirstView(r *http.Request, c Credential) *firstView {
	base := "http://" + r.Host
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		base = "https://" + r.Host
	}
	if !plainHost.MatchString(r.Host) {
		base = "http://localhost:3000"
	}
	credential, hint := "", "This service requires no credential."
	switch c {
	case Token:
		credential = ` -H "Authorization: Bearer $EM_METRICS_TOKEN_AUTH"`
		hint = "Set EM_METRICS_TOKEN_AUTH in your shell to the token of this service."
	case Password:
		credential = ` -u "$EM_METRICS_BASIC_AUTH_USERNAME:$EM_METRICS_BASIC_AUTH_PASSWORD"`
		hint = "Set EM_METRICS_BASIC_AUTH_USERNAME and EM_METRICS_BASIC_AUTH_PASSWORD in your shell to those of this service."
	}
	curl := func(path, body string) string {
		return "curl" + credential + " " + base + path + " \\\n  -H 'Content-Type: application/json' \\\n  -d '" + body + "'"
	}
	return &firstView{
		Start: curl("/deployments",
			`{"id": "1", "project_id": "my-project", "first_commit_at": "'"$(date -u +%FT%TZ)"'"}`),
		Finish: curl("/deployments/1/deployed", `{"project_id": "my-project"}`),
		Incident: curl("/incidents", `{"id": "1", "project_id": "my-project", "deployment_id": "1"}`) + "\n" +
			curl("/incidents/1/restored", `{"project_id": "my-project"}`),
		Credential: hint,
	}
}
