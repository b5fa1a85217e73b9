package archbuild

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/archbuild/archbuild/doctor"
	"github.com/archbuild/archbuild/internal/registry"
)

// errLate stands for the error of a registry that does not even end in time.
var errLate = errors.New("no answer in time")

// knocks asks each registry once whether it lets us in, as soon as somebody has a
// question for it.
type knocks struct {
	client *registry.Client
	source func(host string) registry.Source
	// ctx ends the asking; nil before it has begun.
	ctx context.Context

	// written are the images that the templates name, sorted: of those of one registry
	// the first is asked for, whichever comes first.
	written []string

	mu     sync.Mutex
	closed bool
	asked  map[string]chan doctor.Registry
}

func newKnocks(o Options) *knocks {
	return &knocks{asked: map[string]chan doctor.Registry{}, source: o.credentialSource}
}

// credentialSource says where credentials for a registry are looked for.
func (o Options) credentialSource(host string) registry.Source {
	if o.Username != "" {
		for _, target := range o.Targets {
			if hostOf(target) == host {
				return registry.Source{File: "--username"}
			}
		}
	}
	source := registry.SourceOf(host, o.DockerConfigFile(), o.Getenv)
	if home := o.Getenv("HOME"); home != "" {
		if below, ok := strings.CutPrefix(source.File, home+"/"); ok {
			source.File = "~/" + below
		}
	}
	return source
}

// open lets questions begin; ctx ends them.
func (k *knocks) open(ctx context.Context, written []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ctx, k.written = ctx, written
}

// ask begins to ask the registry of an image, unless that was done.
func (k *knocks) ask(ref string) {
	host := hostOf(ref)
	for _, image := range k.written {
		if hostOf(image) == host {
			ref = image
			break
		}
	}
	k.begin(ref, false)
}

func (k *knocks) begin(ref string, push bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key := hostOf(ref)
	if push {
		key = ref + " push"
	}
	if k.closed || k.asked[key] != nil || k.ctx == nil {
		return
	}
	answer := make(chan doctor.Registry, 1)
	k.asked[key] = answer
	one := doctor.Registry{Host: hostOf(ref), Ref: ref, Push: push, Source: k.source(hostOf(ref))}
	late := one
	late.Err = errLate
	go func() {
		answer <- finish(k.ctx, late, func(ctx context.Context) doctor.Registry {
			one.Access, one.Err = k.client.Access(ctx, ref, push)
			if one.Access.Mirror != "" {
				one.Source = k.source(one.Access.Mirror)
			}
			return one
		})
	}()
}

// answers waits for all that were asked; they come in the order of their names.
func (k *knocks) answers() []doctor.Registry {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	var list []doctor.Registry
	for _, key := range slices.Sorted(maps.Keys(k.asked)) {
		one := <-k.asked[key]
		if errors.Is(one.Err, errLate) || errors.As(one.Err, new(*noAnswerError)) {
			one.Err = context.Cause(k.ctx)
		}
		list = append(list, one)
	}
	return list
}

// ofRegistries are the checks of all answers, each thing said once.
func ofRegistries(list []doctor.Registry) []doctor.Check {
	var checks []doctor.Check
	said := map[string]bool{}
	for _, one := range list {
		for _, c := range doctor.OfRegistry(one) {
			if id := c.ID + " " + c.Subject; !said[id] {
				said[id] = true
				checks = append(checks, c)
			}
		}
	}
	return checks
}

// notReached are the registries that did not answer, of those that are read from.
func notReached(list []doctor.Registry) []string {
	var hosts []string
	for _, one := range list {
		failed := new(registry.Error)
		if one.Err != nil && !one.Push && (!errors.As(one.Err, &failed) || failed.Unreachable()) {
			hosts = append(hosts, one.Host)
		}
	}
	return hosts
}

// ofImages are the hosts of images among some; all of them where no image is at one.
func ofImages(hosts, images []string) []string {
	var list []string
	for _, host := range hosts {
		if slices.ContainsFunc(images, func(image string) bool { return hostOf(image) == host }) {
			list = append(list, host)
		}
	}
	if len(list) == 0 {
		return hosts
	}
	return list
}

// proxyVariables are those that programs look for, in either spelling.
var proxyVariables = []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}

// lookAtProxies looks at the proxies of the environment: whether anybody listens there, and
// whether both spellings say the same. Their values can hold a password: only host and port are told.
func (x *examination) lookAtProxies(ctx context.Context) []doctor.Check {
	var checks []doctor.Check
	asked := map[string]bool{}
	for _, name := range proxyVariables {
		upper, lower := x.Getenv(name), x.Getenv(strings.ToLower(name))
		if upper != "" && lower != "" && upper != lower {
			checks = append(checks, doctor.Check{
				ID: "proxy-spelling", Group: doctor.Network, Subject: name, Status: doctor.Degraded,
				Detail: fmt.Sprintf("%s and %s differ", name, strings.ToLower(name)), Affects: "which way a program goes depends on which spelling it looks for",
				Fix: "give both the same value",
			})
		}
		value := cmp.Or(upper, lower)
		if value == "" || asked[value] {
			continue
		}
		asked[value] = true
		checks = append(checks, checkProxy(ctx, name, value))
	}
	if names := slices.Sorted(maps.Keys(x.proxyArgs)); len(names) > 0 {
		names = slices.DeleteFunc(names, func(n string) bool { return n != strings.ToUpper(n) })
		checks = append(checks, doctor.Check{
			ID: "proxy-arguments", Group: doctor.Network, Status: doctor.OK,
			Detail: "builds get build arguments from the Docker config: " + strings.Join(names, ", "),
		})
	}
	return checks
}

func checkProxy(ctx context.Context, name, value string) doctor.Check {
	c := doctor.Check{ID: "proxy", Group: doctor.Network, Subject: name, Status: doctor.OK}
	if !strings.Contains(value, "://") {
		value = "http://" + value
	}
	u, err := url.Parse(value)
	if err != nil || u.Hostname() == "" {
		c.Status, c.Detail = doctor.Missing, "its value is no address"
		c.Affects, c.Fix = "everything that is fetched", "write http://HOST:PORT, or take the variable out"
		return c
	}
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme], "80")
	at := net.JoinHostPort(u.Hostname(), port)
	c.Detail, c.Brief = "somebody listens at "+at, "proxy "+at
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", at)
	if err != nil {
		c.Status, c.Detail = doctor.Missing, fmt.Sprintf("nobody answers at %s: %s", at, firstLine(err))
		c.Affects, c.Fix = "everything that is fetched", "start the proxy, or take "+name+" out of the environment"
		return c
	}
	conn.Close()
	return c
}
