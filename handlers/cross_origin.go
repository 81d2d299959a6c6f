package handlers

import (
	"net/http"

	"github.com/julienschmidt/httprouter"
)

// sameOrigin calls next unless a browser sent the request from a page of another
// site and the method is not GET, HEAD or OPTIONS. Such a page can make a browser
// send a request with the user's remembered password, or to a service that only
// the user can reach. Clients that are not browsers send neither of the headers
// that reveal it.
func (a *api) sameOrigin(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request, p httprouter.Params) error {
		var protection http.CrossOriginProtection // the zero value trusts no other origin
		if err := protection.Check(r); err != nil {
			return crossOrigin(err)
		}
		return next(w, r, p)
	}
}

func crossOrigin(cause error) *problem {
	p := newProblem(http.StatusForbidden, "cross-origin", "The request comes from another site", "",
		fieldError{"Origin", "is not that of this service; a web page of another site may not change data"})
	p.cause = cause
	return p
}
