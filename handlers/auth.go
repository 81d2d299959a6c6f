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
	// Token is accepted as "Authorization: Bearer" and "Authorization: Token", and
	// as the password of any user name in "Authorization: Basic", because a browser
	// can send nothing else.
	Token string
	// Username and Password are accepted as "Authorization: Basic". One of the two
	// may be empty; clients then send it empty.
	Username string
	Password string
	// PublicMetrics allows /metrics and badges without a credential.
	PublicMetrics bool
}

func (a Auth) check() error {
	if !a.Disabled && a.Token == "" && !a.basic() {
		return errors.New("a credential is required: a token, or a user name and password")
	}
	return nil
}

// basic reports whether a user name or a password is accepted.
func (a Auth) basic() bool { return a.Username != "" || a.Password != "" }

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
		// All are always compared, so that the time reveals nothing.
		user := constantTimeEqual(username, a.Username) & constantTimeEqual(password, a.Password)
		token := constantTimeEqual(password, a.Token)
		if ok && (a.basic() && user == 1 || a.Token != "" && token == 1) {
			return nil
		}
	}
	return newProblem(http.StatusForbidden, "forbidden", "The credential is invalid", "",
		fieldError{"Authorization", "is not a valid credential"})
}

// unauthorized returns a 401 that lists the accepted credentials.
func (a Auth) unauthorized() error {
	challenges := []string{`Basic realm="em-metrics", charset="UTF-8"`}
	var headers []string
	if a.basic() {
		headers = append(headers, "Basic with a user name and password")
	}
	if a.Token != "" {
		challenges = append(challenges, `Bearer realm="em-metrics"`)
		headers = append(headers, "Bearer <token>", "Token <token>")
	}
	if !a.basic() {
		headers = append(headers, "Basic with the token as the password")
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
