package registrytest

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"time"
)

// Fault is a way in which a request goes wrong.
type Fault string

// Unless it says otherwise, a fault hits requests of every kind and the registry does not see the request.
const (
	// Timeout is the status 408.
	Timeout Fault = "408"
	// TooMany is the status 429 with Retry-After.
	TooMany Fault = "429"
	// Internal, BadGateway, Unavailable and GatewayTimeout are the statuses 500, 502, 503, 504.
	Internal       Fault = "500"
	BadGateway     Fault = "502"
	Unavailable    Fault = "503"
	GatewayTimeout Fault = "504"
	// ResetBefore resets the connection instead of an answer.
	ResetBefore Fault = "reset before the answer"
	// ResetRequest resets it in the middle of the request body; the registry gets that half.
	ResetRequest Fault = "reset in the request body"
	// ResetResponse resets it in the middle of the body of a blob or manifest.
	ResetResponse Fault = "reset in the response body"
	// AnswerLost lets the registry do the work and resets the connection instead of its answer.
	AnswerLost Fault = "answer lost"
	// Drip moves the body, of the request or of a blob or manifest, slowly and whole.
	Drip Fault = "drip"
	// CutBody ends the connection in the middle of a blob or manifest of which the whole length was announced.
	CutBody Fault = "cut body"
	// ShortBody sends half of a blob or manifest and announces as much: only size and digest can tell.
	ShortBody Fault = "short body"
	// WrongBytes flips a bit of a blob or manifest; headers and length are right.
	WrongBytes Fault = "wrong bytes"
	// ExpiredToken answers 401 and forgets the token; it needs Config.Auth.
	ExpiredToken Fault = "expired token"
	// Redirect sends the reader of a blob to another host with a signed URL. It is harmless to a client that follows.
	Redirect Fault = "redirect"
	// Hang takes the request and never answers it. It and WrongDigest happen by a script only.
	Hang Fault = "hang"
	// WrongDigest is another digest than the right one in the header of the answer.
	WrongDigest Fault = "wrong digest"
	// FalseMissing answers HEAD of a blob that is there with 404, as registries with several copies of their state do.
	FalseMissing Fault = "false 404"
)

// Faults is all of them, in the order in which a random number chooses.
var Faults = []Fault{
	Timeout, TooMany, Internal, BadGateway, Unavailable, GatewayTimeout, ResetBefore, ResetRequest, ResetResponse, AnswerLost,
	Drip, CutBody, ShortBody, WrongBytes, ExpiredToken, Redirect, FalseMissing,
}

// statuses are the faults that are an answer.
var statuses = map[Fault]int{
	Timeout: http.StatusRequestTimeout, TooMany: http.StatusTooManyRequests, Internal: http.StatusInternalServerError,
	BadGateway: http.StatusBadGateway, Unavailable: http.StatusServiceUnavailable, GatewayTimeout: http.StatusGatewayTimeout,
}

// Rates gives every fault the same rate: with 0.01 each, about one request in ten is hit.
func Rates(each float64) map[Fault]float64 {
	rates := map[Fault]float64{}
	for _, f := range Faults {
		rates[f] = each
	}
	return rates
}

// hits says whether a fault can happen to a request.
func (f Fault) hits(q request) bool {
	switch f {
	case ResetRequest:
		return q.hasBody
	case ResetResponse, CutBody, ShortBody, WrongBytes:
		return q.class == BlobGet || q.class == ManifestGet
	case Drip:
		return q.hasBody || q.class == BlobGet || q.class == ManifestGet
	case Redirect:
		return q.class == BlobGet && !q.elsewhere
	case FalseMissing:
		return q.class == BlobHead
	case ExpiredToken:
		return q.class != Token && !q.elsewhere
	default:
		return true
	}
}

// early says whether a request that meets the fault never comes as far as being let in.
func (f Fault) early() bool { return statuses[f] != 0 || f == ResetBefore || f == Hang }

// schedule decides which request meets which fault.
type schedule struct {
	seed  uint64
	lines map[string]*line
}

// line is what has been asked by one method at one path.
type line struct {
	asked, inRow int
	notBefore    time.Time // what Retry-After asked for
	told         time.Time // when it did: what comes at that same moment was on its way
}

// next decides about the next request of a line. It depends on nothing but the seed, the line, how often that was asked,
// and the rates.
func (s *schedule) next(q request, c Config) Fault {
	l := s.lines[q.line]
	if l == nil {
		l = &line{}
		s.lines[q.line] = l
	}
	l.asked++
	hash := fnv.New64a()
	fmt.Fprintf(hash, "%s #%d", q.line, l.asked)
	fault := c.choose(q, rand.New(rand.NewPCG(s.seed, hash.Sum64())).Float64())
	if c.Script != nil {
		fault = c.Script(Ask{Class: q.class, Line: q.line, Repo: q.repo, Target: q.target, Nth: l.asked})
	} else if l.inRow >= c.InRow {
		fault = ""
	}
	if fault == "" {
		l.inRow = 0
		return ""
	}
	l.inRow++
	return fault
}

func (c Config) choose(q request, choice float64) Fault {
	for _, f := range Faults {
		if rate := c.Rates[f]; rate > 0 && f.hits(q) && (f != ExpiredToken || c.Auth != nil) {
			if choice < rate {
				return f
			}
			choice -= rate
		}
	}
	return ""
}
