package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/nano-runtime/nano/bundle"
	"github.com/nano-runtime/nano/config"
	"github.com/nano-runtime/nano/control"
	"github.com/nano-runtime/nano/daemon"
)

// problemOf says what an error of package control is to who asked.
func problemOf(err error) *Error {
	e := &Error{Detail: err.Error()}
	var problems config.Problems
	var foreign *control.ForeignError
	var load *control.LoadError
	switch {
	case errors.As(err, &load):
		e.Type, e.Status = TypeLoad, http.StatusUnprocessableEntity
		e.Problems = places(load.Err)
	case errors.As(err, &problems):
		e.Type, e.Status, e.Problems = TypeInvalid, http.StatusUnprocessableEntity, problems
		e.Detail = fmt.Sprintf("%d problems", len(problems))
		if len(problems) == 1 {
			e.Detail = problems[0].Message
		}
	case errors.As(err, &foreign):
		e.Type, e.Status = TypeForeign, http.StatusConflict
	case errors.Is(err, control.ErrNotFound):
		e.Type, e.Status = TypeNotFound, http.StatusNotFound
	case errors.Is(err, control.ErrExists):
		e.Type, e.Status = TypeConflict, http.StatusConflict
		e.Hint = "PUT /admin/apps/NAME replaces an app"
	case errors.Is(err, control.ErrStale):
		e.Type, e.Status = TypeStale, http.StatusPreconditionFailed
		e.Hint = "read it again, and decide anew"
	case errors.Is(err, control.ErrNoState):
		e.Type, e.Status = TypeNoState, http.StatusNotImplemented
	case errors.Is(err, control.ErrHandedOver), errors.Is(err, daemon.ErrHandedOver):
		e.Type, e.Status = TypeHandedOver, http.StatusServiceUnavailable
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e.Type, e.Status = TypeUnavailable, http.StatusServiceUnavailable
	default:
		e.Type, e.Status = TypeInternal, http.StatusInternalServerError
	}
	return e
}

// places are those in the app's files that keep it from being loaded, if that is known.
func places(err error) config.Problems {
	var problems config.Problems
	var broken *bundle.Error
	switch {
	case errors.As(err, &problems):
		return problems
	case errors.As(err, &broken):
		for _, m := range broken.Messages {
			problems = append(problems, config.Problem{File: m.File, Line: m.Line, Column: m.Column, Message: m.Text})
		}
	}
	return problems
}
