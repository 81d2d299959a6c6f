package handlers_test

import (
	"encoding/base64"
	"log/slog"
	"strings"
	"testing"

	"github.com/em-metrics/em-metrics/handlers"
)

const (
	goodToken    = "t0ken-of-the-service"
	goodPassword = "correct horse: battery"
)

func basic(username, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(username+":"+password))
}

func withAuth(auth handlers.Auth) func(*setup) { return func(o *setup) { o.Auth = auth } }

var (
	tokenOnly = handlers.Auth{Token: goodToken}
	basicOnly = handlers.Auth{Username: "ci", Password: goodPassword}
	bothKinds = handlers.Auth{Token: goodToken, Username: "ci", Password: goodPassword}

	usernameOnly = handlers.Auth{Username: "ci"}
	passwordOnly = handlers.Auth{Password: goodPassword}
)

func TestCredentials(t *testing.T) {
	const refused, missing = 403, 401
	for _, mode := range []struct {
		name string
		auth handlers.Auth
		want map[string]int
	}{
		{"a token", tokenOnly, map[string]int{
			"":                                         missing,
			"Authorization: Bearer " + goodToken:       200,
			"Authorization: bearer " + goodToken:       200,
			"Authorization: Token " + goodToken:        200,
			"Authorization: token " + goodToken:        200,
			"Authorization: token  " + goodToken:       200,
			"Authorization: Bearer " + goodToken + "x": refused,
			"Authorization: Bearer " + goodToken[1:]:   refused,
			"Authorization: Bearer":                    refused,
			"Authorization: Bearer ''":                 refused,
			"Authorization: " + goodToken:              refused,
			"Authorization: Digest " + goodToken:       refused,
			basic("", goodToken):                       200,
			basic("anyone", goodToken):                 200,
			basic("anyone", goodToken+"x"):             refused,
			basic("anyone", ""):                        refused,
			basic("", ""):                              refused,
			basic(goodToken, ""):                       refused,
			"X-Token: " + goodToken:                    missing,
		}},
		{"a user name and a password", basicOnly, map[string]int{
			"":                                      missing,
			basic("ci", goodPassword):               200,
			basic("CI", goodPassword):               refused,
			basic("ci", "wrong"):                    refused,
			basic("wrong", goodPassword):            refused,
			basic("ci", ""):                         refused,
			basic("", ""):                           refused,
			"Authorization: Basic":                  refused,
			"Authorization: Basic ????":             refused,
			"Authorization: Basic Y2k=":             refused, // no colon
			"Authorization: Bearer":                 refused,
			"Authorization: Token ":                 refused,
			"Authorization: Bearer " + goodPassword: refused,
		}},
		{"both", bothKinds, map[string]int{
			"":                                   missing,
			"Authorization: Bearer " + goodToken: 200,
			basic("ci", goodPassword):            200,
			basic("ci", goodToken):               200,
			basic("anyone", goodToken):           200,
			basic("anyone", goodPassword):        refused,
			basic("ci", "wrong"):                 refused,
			basic("", ""):                        refused,
			"Authorization: Bearer wrong":        refused,
		}},
		{"a user name without a password", usernameOnly, map[string]int{
			"":                      missing,
			basic("ci", ""):         200,
			basic("ci", "wrong"):    refused,
			basic("wrong", ""):      refused,
			basic("", ""):           refused,
			"Authorization: Bearer": refused,
		}},
		{"a password without a user name", passwordOnly, map[string]int{
			"":                                      missing,
			basic("", goodPassword):                 200,
			basic("ci", goodPassword):               refused,
			basic("", "wrong"):                      refused,
			basic("", ""):                           refused,
			"Authorization: Bearer " + goodPassword: refused,
		}},
		{"none", handlers.Auth{Disabled: true}, map[string]int{
			"": 200, "Authorization: Bearer wrong": 200, basic("ci", "wrong"): 200,
		}},
	} {
		t.Run(mode.name, func(t *testing.T) {
			s := start(t, withAuth(mode.auth))
			for header, want := range mode.want {
				for _, path := range []string{"/deployments", "/api/v1/incidents", "/metrics", "/config", "/version"} {
					if got := s.get(path, header); got.status != want {
						t.Errorf("%s with %q: %s, want %d", path, header, got, want)
					}
				}
			}
		})
	}
}

// TestEveryRouteExceptProbesRequiresACredential also requests routes that do not
// exist: the responses do not reveal which ones do.
func TestEveryRouteExceptProbesRequiresACredential(t *testing.T) {
	s := start(t, withAuth(bothKinds))
	requests := append(handlers.Routes(), "GET /nothing", "PUT /deployments", "POST /metrics", "DELETE /deployments/1")
	for _, request := range requests {
		for _, prefix := range prefixes {
			got := s.send(at(prefix, request), "")
			switch request {
			case "GET /health", "GET /ready":
				if got.status != 200 || got.header.Get("WWW-Authenticate") != "" {
					t.Errorf("%s: %s", request, got)
				}
			default:
				want := `Basic realm="em-metrics", charset="UTF-8", Bearer realm="em-metrics"`
				if got.String() != "401 Authorization is required; send Basic with a user name and password, or Bearer <token>, or Token <token>" ||
					got.header.Get("WWW-Authenticate") != want {
					t.Errorf("%s: %s, %q", request, got, got.header.Get("WWW-Authenticate"))
				}
				got = s.send(at(prefix, request), "", "Authorization: Bearer wrong")
				if got.String() != "403 Authorization is not a valid credential" {
					t.Errorf("%s: %s", request, got)
				}
			}
		}
	}
	if n := len(s.events()); n != 0 {
		t.Errorf("%d events", n)
	}
}

func TestChallengeListsTheAcceptedSchemes(t *testing.T) {
	for _, c := range []struct {
		auth              handlers.Auth
		challenge, answer string
	}{
		{tokenOnly, `Basic realm="em-metrics", charset="UTF-8", Bearer realm="em-metrics"`,
			"401 Authorization is required; send Bearer <token>, or Token <token>, or Basic with the token as the password"},
		{passwordOnly, `Basic realm="em-metrics", charset="UTF-8"`, "401 Authorization is required; send Basic with a user name and password"},
		{basicOnly, `Basic realm="em-metrics", charset="UTF-8"`, "401 Authorization is required; send Basic with a user name and password"},
	} {
		got := start(t, withAuth(c.auth)).get("/deployments")
		if got.String() != c.answer || got.header.Get("WWW-Authenticate") != c.challenge {
			t.Errorf("%s, %q", got, got.header.Get("WWW-Authenticate"))
		}
	}
}

func TestPublicMetricsExposeNothingElse(t *testing.T) {
	auth := tokenOnly
	auth.PublicMetrics = true
	s := start(t, withAuth(auth))
	for path, want := range map[string]int{"/metrics": 200, "/api/v1/metrics": 200, "/deployments": 401, "/config": 401} {
		if got := s.get(path); got.status != want {
			t.Errorf("%s: %s", path, got)
		}
	}
	if got := s.get("/metrics", "Authorization: Bearer wrong"); got.status != 200 {
		t.Errorf("a wrong credential where none is required: %s", got)
	}
}

// TestSecretsAreNeverLoggedOrReturned sends valid and invalid credentials and looks
// for them in logs and responses.
func TestSecretsAreNeverLoggedOrReturned(t *testing.T) {
	s := start(t, withAuth(bothKinds))
	var answers strings.Builder
	encoded := strings.TrimPrefix(basic("ci", goodPassword), "Authorization: Basic ")
	for _, header := range []string{
		"Authorization: Bearer " + goodToken, basic("ci", goodPassword), "Authorization: Digest " + goodToken,
		"Authorization: Bearer " + goodToken + "-nearly", basic("ci", goodPassword+"-nearly"), "",
	} {
		for _, request := range []string{
			"GET /deployments", "GET /config", "GET /version", "GET /metrics", "GET /nothing?token=" + goodToken,
			"PUT /deployments?token=" + goodToken, "POST /deployments/1/deployed?" + goodToken,
		} {
			got := s.send(request, "", header)
			answers.WriteString(got.body)
			for name, values := range got.header {
				answers.WriteString(name + strings.Join(values, ""))
			}
		}
	}
	for _, secret := range []string{goodToken, goodPassword, encoded} {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("%q is in the log:\n%s", secret, s.log)
		}
	}
	if strings.Contains(answers.String(), goodPassword) || strings.Contains(answers.String(), encoded) {
		t.Errorf("a password is in an answer:\n%s", answers.String())
	}
}

func TestNewRequiresACredential(t *testing.T) {
	store := start(t).store
	for want, auth := range map[string]handlers.Auth{
		"create the API: a credential is required: a token, or a user name and password": {},
	} {
		if _, err := handlers.New(handlers.Options{Store: store, Auth: auth, Logger: slog.New(slog.DiscardHandler)}); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := handlers.New(handlers.Options{Auth: handlers.Auth{Disabled: true}}); err == nil || err.Error() != "create the API: a store is required" {
		t.Errorf("without a store: %v", err)
	}
}

// TestPageChallengesAgainAfterAWrongPassword: after a 403 a browser would not ask
// for the password again.
func TestPageChallengesAgainAfterAWrongPassword(t *testing.T) {
	for _, auth := range []handlers.Auth{basicOnly, tokenOnly} {
		s := start(t, withAuth(auth))
		for path, want := range map[string]string{"/": "401", "/dora": "403"} {
			got := s.get(path, basic("ci", "wrong"))
			if !strings.HasPrefix(got.String(), want) {
				t.Errorf("%s responds with %s, want %s", path, got, want)
			}
			if challenge := got.header.Get("WWW-Authenticate"); (challenge != "") != (want == "401") {
				t.Errorf("%s challenges with %q", path, challenge)
			}
		}
	}
}
