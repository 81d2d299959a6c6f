package page

import (
	"net/http"
	"regexp"
	"slices"

	"github.com/em-metrics/em-metrics/db/dora"
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

// plainHost and plainName match a host and a name that have no special meaning to
// a shell, in JSON or in a pattern.
var (
	plainHost = regexp.MustCompile(`^[A-Za-z0-9.:\[\]-]+$`)
	plainName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
)

// newFirstView makes the requests for r. They name an environment that counts as
// production, if any is known: the page shows no other by default.
func newFirstView(r *http.Request, c Credential, production dora.Environments) *firstView {
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
	subject := `"project_id": "my-project"`
	if i := slices.IndexFunc(production, plainName.MatchString); i >= 0 {
		subject += `, "environment": "` + production[i] + `"`
	}
	return &firstView{
		Start: curl("/deployments",
			`{"id": "1", `+subject+`, "first_commit_at": "'"$(date -u +%FT%TZ)"'"}`),
		Finish: curl("/deployments/1/deployed", `{`+subject+`}`),
		Incident: curl("/incidents", `{"id": "1", `+subject+`, "deployment_id": "1"}`) + "\n" +
			curl("/incidents/1/restored", `{`+subject+`}`),
		Credential: hint,
	}
}
