package handlers

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"

	"github.com/julienschmidt/httprouter"
)

// Auth holds the accepted credentials: a token, a user name with a password, or
// both.
type Auth struct {
	// Disabled turns authentication off.
	Disabled bool
	// Token is accepted as "Authorization: Bearer" and "Authorization: Token".
	Token string
	// Username and Password are accepted as "Authorization: Basic".
	Username string
	Password string
	// PublicMetrics allows /metrics and badges without a credential.
	PublicMetrics bool
}

func (a Auth) check() error {
	switch {
	case a.Disabled:
		return nil
	case (a.Username == "") != (a.Password == ""):
		return errors.New("basic authentication requires both a user name and a password")
	case a.Token == "" && a.Username == "":
		return errors.New("a credential is required: a token, or a user name and password")
	}
	return nil
}

// access is the authentication that a route requires.
type access int

const (
	credentialAccess access = iota // a valid credential
	browserAccess                  // the same; a browser with a wrong password may try again
	metricsAccess                  // a valid credential, or none if metrics are public
	publicAccess                   // none
)

// authorize calls next if the request carries the credential that the access
// level requires.
func (a *api) authorize(level access, next handler) handler {
	if level == publicAccess || level == metricsAccess && a.Auth.PublicMetrics || a.Auth.Disabled {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request, p httprouter.Params) error {
		err := a.Auth.verify(r)
		if err == nil {
			return next(w, r, p)
		}
		if _, _, basic := r.BasicAuth(); basic && level == browserAccess {
			return a.Auth.unauthorized() // after a 403 a browser would keep sending the wrong password
		}
		return err
	}
}

// verify checks the credential of a request in constant time.
func (a Auth) verify(r *http.Request) error {
	header := r.Header.Get("Authorization")
	if header == "" {
		return a.unauthorized()
	}
	scheme, value, _ := strings.Cut(header, " ")
	switch strings.ToLower(scheme) {
	case "bearer", "token":
		if a.Token != "" && constantTimeEqual(strings.TrimSpace(value), a.Token) == 1 {
			return nil
		}
	case "basic":
		username, password, ok := r.BasicAuth()
		// Both are always compared, so that the time reveals nothing.
		if same := constantTimeEqual(username, a.Username) & constantTimeEqual(password, a.Password); ok && a.Username != "" && same == 1 {
			return nil
		}
	}
	return newProblem(http.StatusForbidden, "forbidden", "The credential is invalid", "",
		fieldError{"Authorization", "is not a valid credential"})
}

// unauthorized returns a 401 that lists the accepted credentials.
func (a Auth) unauthorized() error {
	var challenges, headers []string
	if a.Username != "" {
		challenges = append(challenges, `Basic realm="em-metrics", charset="UTF-8"`)
		headers = append(headers, "Basic with a user name and password")
	}
	if a.Token != "" {
		challenges = append(challenges, `Bearer realm="em-metrics"`)
		headers = append(headers, "Bearer <token>", "Token <token>")
	}
	p := newProblem(http.StatusUnauthorized, "unauthorized", "A credential is required", "",
		fieldError{"Authorization", "is required; send " + strings.Join(headers, ", or ")})
	p.header = map[string]string{"WWW-Authenticate": strings.Join(challenges, ", ")}
	return p
}

// constantTimeEqual returns 1 if the two are equal and 0 otherwise. Digests have
// the same length, so the comparison takes the same time for any input.
func constantTimeEqual(given, want string) int {
	g, w := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(g[:], w[:])
}
