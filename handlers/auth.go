package handlers

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"

	"github.com/julienschmidt/httprouter"
)

// Auth says which credentials are accepted: a token, a user name with its
// password, or both.
type Auth struct {
	// Disabled lets everybody in.
	Disabled bool
	// Token is accepted as "Authorization: Bearer" and "Authorization: Token".
	Token string
	// Username and Password are accepted as "Authorization: Basic".
	Username string
	Password string
	// PublicMetrics lets everybody read /metrics.
	PublicMetrics bool
}

func (a Auth) check() error {
	switch {
	case a.Disabled:
		return nil
	case (a.Username == "") != (a.Password == ""):
		return errors.New("basic authentication needs both a user name and a password")
	case a.Token == "" && a.Username == "":
		return errors.New("a credential is required: a token, or a user name and password")
	}
	return nil
}

// access is who may use a route.
type access int

const (
	protected access = iota // whoever has a credential
	browsed                 // the same, and a browser is asked again after a wrong password
	scraped                 // everybody if metrics are public
	public                  // everybody
)

func (a *api) guarded(who access, next handler) handler {
	if who == public || who == scraped && a.Auth.PublicMetrics || a.Auth.Disabled {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request, p httprouter.Params) error {
		err := a.Auth.verify(r)
		if err == nil {
			return next(w, r, p)
		}
		if _, _, basic := r.BasicAuth(); basic && who == browsed {
			return a.Auth.unauthorized() // after a 403 a browser would keep the wrong password
		}
		return err
	}
}

// verify compares the credential of a request in constant time.
func (a Auth) verify(r *http.Request) error {
	header := r.Header.Get("Authorization")
	if header == "" {
		return a.unauthorized()
	}
	scheme, value, _ := strings.Cut(header, " ")
	switch strings.ToLower(scheme) {
	case "bearer", "token":
		if a.Token != "" && equal(strings.TrimSpace(value), a.Token) == 1 {
			return nil
		}
	case "basic":
		username, password, ok := r.BasicAuth()
		// Both are compared always, so that the time tells nothing.
		if same := equal(username, a.Username) & equal(password, a.Password); ok && a.Username != "" && same == 1 {
			return nil
		}
	}
	return newProblem(http.StatusForbidden, "forbidden", "The credential is wrong", "",
		fieldError{"Authorization", "is not a credential of this service"})
}

// unauthorized says which credentials are accepted.
func (a Auth) unauthorized() error {
	var challenges, headers []string
	if a.Username != "" {
		challenges = append(challenges, `Basic realm="em-metrics", charset="UTF-8"`)
		headers = append(headers, "Basic with a user name and a password")
	}
	if a.Token != "" {
		challenges = append(challenges, `Bearer realm="em-metrics"`)
		headers = append(headers, "Bearer <token>", "Token <token>")
	}
	p := newProblem(http.StatusUnauthorized, "unauthorized", "A credential is required", "",
		fieldError{"Authorization", "is required: send " + strings.Join(headers, ", or ")})
	p.header = map[string]string{"WWW-Authenticate": strings.Join(challenges, ", ")}
	return p
}

// equal returns 1 when the two are the same. Digests have one length, so the
// comparison takes the same time whatever was sent.
func equal(given, want string) int {
	g, w := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(g[:], w[:])
}
