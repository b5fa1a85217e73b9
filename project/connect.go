package project

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// Connect finds out which service stands on which, and for which platforms each is built.
//
// An image that a Dockerfile asks for is another service's if, in this order, a link of the
// user says so, a named context does, a service makes an image of that name, or the name is
// a service's own, bare, and that service is not itself built on an image of that name. All
// else comes from a registry. So does an image that a service makes itself: it is the one of
// that name that was there before.
//
// A base is built for its own platforms and for all that its users need of it; only where its
// file lists platforms no other one is added. Services that stand aside are left out unless
// somebody stands on them, and then built for what those need alone. The graph has all others, bases first, else as they were given.
//
// All that is wrong is reported together: *ServiceTwiceError, *TwoMakersError, *CycleError,
// *UnknownServiceError, *UntakenError, *TwoLinksError, *LacksPlatformError, and what Takes said.
func Connect(services []Service, links []Link) (Graph, error) {
	c := connection{
		services: services, names: newNames(services), links: newLinks(links),
		states: make([]state, len(services)), asked: map[task]*answer{}, noted: map[string]bool{},
	}
	c.checkServices()
	c.checkLinks()
	for i, s := range services {
		if !s.Aside {
			c.reach(i, true)
		}
	}
	for len(c.todo) > 0 {
		next := c.todo[0]
		c.todo = c.todo[1:]
		c.connect(next)
	}
	c.checkMakers()
	c.checkTaken()
	c.wait()
	order := c.order()
	if err := joinOnce(c.failed); err != nil {
		return Graph{}, err
	}
	return c.graph(order), nil
}

// connection is a graph in the making.
type connection struct {
	services []Service
	names    names
	links    links
	// states are those of the services, by their place.
	states []state
	todo   []task
	asked  map[task]*answer
	failed []error
	notes  []string
	noted  map[string]bool
	// waiting are the edges of builds that start from a service.
	waiting []Edge
}

// state is what is known of a service so far.
type state struct {
	reached, whole bool
	// platforms that it is built for; added are those among them that nobody asked for.
	platforms, added []platform.Platform
	// edges to its bases, each with the place of the base.
	edges []stands
	seen  map[Edge]bool
}

// stands is an edge with the service that it leads to.
type stands struct {
	Edge
	base int
}

// task is a service on a platform; answer is what its Takes said.
type task struct {
	service int
	on      platform.Platform
}

type answer struct {
	taken []Taken
	err   error
}

// checkServices looks whether a service's name says which one is meant.
func (c *connection) checkServices() {
	for i, s := range c.services {
		if first := c.names.services[s.Name]; first != i {
			c.fail(&ServiceTwiceError{Name: s.Name, First: c.services[first].At, Second: s.At})
		}
	}
}

func (c *connection) fail(err error) { c.failed = append(c.failed, err) }

// reach says that a service is built, and with it what it needs by name; whole, for all platforms that were asked for.
func (c *connection) reach(service int, whole bool) {
	s, of := &c.states[service], &c.services[service]
	if whole && !s.whole {
		s.whole = true
		for _, p := range of.Platforms {
			c.build(service, p)
		}
	}
	if s.reached {
		return
	}
	s.reached = true
	for _, need := range of.Needs {
		if base, known := c.names.services[need.Name]; known {
			c.reach(base, true)
		} else {
			c.fail(&UnknownServiceError{From: "what " + of.Name + " needs", Name: need.Name, Place: need.At, Known: c.serviceNames()})
		}
	}
}

// build says that a service is built for a platform.
func (c *connection) build(service int, on platform.Platform) {
	s := &c.states[service]
	if !slices.Contains(s.platforms, on) {
		s.platforms = append(s.platforms, on)
		c.todo = append(c.todo, task{service, on})
	}
}

// takes asks a service once for each platform.
func (c *connection) takes(service int, on platform.Platform) *answer {
	t := task{service, on}
	known := c.asked[t]
	if known == nil {
		known = &answer{}
		if takes := c.services[service].Takes; takes != nil {
			known.taken, known.err = takes(on)
		}
		c.asked[t] = known
	}
	return known
}

// connect finds the bases of a service on one platform.
func (c *connection) connect(t task) {
	answer := c.takes(t.service, t.on)
	if answer.err != nil {
		c.fail(answer.err)
		return
	}
	for _, taken := range answer.taken {
		if taken.Waits {
			c.leave(t, taken)
		} else {
			c.take(t, taken)
		}
	}
}

// take decides about one image that is asked for.
func (c *connection) take(t task, taken Taken) {
	base, why := c.base(t.service, taken)
	if base < 0 {
		return
	}
	edge := Edge{
		User: c.services[t.service].Name, For: t.on, Base: c.services[base].Name, On: taken.On,
		Name: taken.Name, Where: taken.Where, At: taken.At, Why: why,
	}
	if !c.stand(t.service, base, edge) || !strings.HasSuffix(taken.Where, "FROM") {
		return
	}
	brought, err := c.brought(t, base, taken)
	if err != nil {
		c.fail(err)
	}
	for _, b := range brought {
		c.take(t, b)
	}
}

// leave notes what an ONBUILD asks for that fires in other builds.
func (c *connection) leave(t task, taken Taken) {
	base, why := c.base(t.service, taken)
	if base < 0 {
		return
	}
	c.waiting = append(c.waiting, Edge{
		User: c.services[t.service].Name, For: t.on, Base: c.services[base].Name, On: taken.On,
		Name: taken.Name, Where: taken.Where, At: taken.At, Why: why,
	})
}

// stand adds an edge, and with it the platform to the base. It tells whether the edge is new.
func (c *connection) stand(user, base int, edge Edge) bool {
	s := &c.states[user]
	if s.seen[edge] {
		return false
	}
	if s.seen == nil {
		s.seen = map[Edge]bool{}
	}
	s.seen[edge] = true
	s.edges = append(s.edges, stands{edge, base})
	c.reach(base, false)
	b, of := &c.states[base], &c.services[base]
	asked := slices.Contains(of.Platforms, edge.On)
	switch {
	case slices.Contains(b.platforms, edge.On):
	case of.Listed && !asked:
		c.fail(&LacksPlatformError{Edge: edge, Listed: of.Platforms, ListedAt: of.ListedAt})
	default:
		if !asked {
			b.added = append(b.added, edge.On)
		}
		c.build(base, edge.On)
	}
	return true
}

// brought lists what a build asks for because of the ONBUILD instructions of a base: images,
// and what stages need that would not be built else.
func (c *connection) brought(t task, base int, from Taken) ([]Taken, error) {
	onbuild, fires := c.services[base].Onbuild, c.services[t.service].Fires
	if onbuild == nil || fires == nil {
		return nil, nil
	}
	instructions := onbuild(from.On)
	if len(instructions) == 0 {
		return nil, nil
	}
	return fires(t.on, from, instructions)
}

// base finds the service that makes an image which another one asks for, and why it is that
// one; less than 0 is none.
func (c *connection) base(user int, taken Taken) (base int, why string) {
	if link := c.links.find(c.services[user].Name, taken.Name); link != nil {
		if base, known := c.names.services[link.Base]; known {
			return base, link.String()
		}
		return -1, ""
	}
	if taken.Target != "" {
		return c.context(user, taken)
	}
	name, ok := form(taken.Name)
	if !ok {
		return -1, ""
	}
	if makers := c.names.images[name]; len(makers) > 0 {
		return c.maker(user, taken, makers)
	}
	if base, found := c.bare(user, taken); found {
		return base, fmt.Sprintf("its image %q is the name of %[1]s%s", c.services[base].Name, bracketed(c.services[base].At))
	}
	c.noteOtherTag(user, taken)
	return -1, ""
}

// context is the service that a named context gives a name to.
func (c *connection) context(user int, taken Taken) (base int, why string) {
	base, known := c.names.services[taken.Target]
	if !known {
		from := fmt.Sprintf("the context %s of %s", taken.Name, c.services[user].Name)
		at := taken.TargetAt
		if at == (Place{}) {
			at = taken.At
		}
		c.fail(&UnknownServiceError{From: from, Name: taken.Target, Place: at, Known: c.serviceNames()})
		return -1, ""
	}
	return base, fmt.Sprintf("its context %q is %s%s", taken.Name, taken.Target, bracketed(taken.TargetAt))
}

// maker chooses among those who make an image of a name.
func (c *connection) maker(user int, taken Taken, makers []maker) (base int, why string) {
	if slices.ContainsFunc(makers, func(m maker) bool { return m.service == user }) {
		c.note("%s asks for %s, which it makes itself (%s): what it is built on is the image that the registry has by that name", c.services[user].Name, taken.Name, taken.At)
		return -1, ""
	}
	chosen := makers[0]
	if len(makers) > 1 {
		// Variants of a target often share a name, and one of them was asked for.
		wanted := slices.DeleteFunc(slices.Clone(makers), func(m maker) bool { return c.services[m.service].Aside })
		if len(wanted) == 0 {
			c.fail(c.twoMakers(makers[0], makers[1]))
			return -1, ""
		}
		chosen = wanted[0]
	}
	of := c.services[chosen.service].Name
	return chosen.service, fmt.Sprintf("its image %q is that of %s (%s)", taken.Name, of, strings.TrimSuffix(chosen.made.From+", "+chosen.made.At.String(), ", "))
}

// bare finds the service whose own name an image's name is, written without a registry. Where
// that service is built on an image of this name, in whatever version, the image is one that
// everybody knows: FROM nginx in a service nginx.
func (c *connection) bare(user int, taken Taken) (base int, found bool) {
	base, found = c.names.services[strings.TrimSuffix(taken.Name, ":latest")]
	if !found || base == user {
		return -1, false
	}
	repo := repository(taken.Name)
	for _, below := range c.takes(base, taken.On).taken {
		if repository(below.Name) == repo && below.Target == "" {
			return -1, false
		}
	}
	return base, true
}

// noteOtherTag tells of an image that only its tag keeps from being one of the project's.
func (c *connection) noteOtherTag(user int, taken Taken) {
	makers := c.names.repositories[repository(taken.Name)]
	if len(makers) == 0 {
		c.noteOtherName(user, taken)
		return
	}
	if slices.ContainsFunc(makers, func(m maker) bool { return m.service == user }) {
		return
	}
	name, base := c.services[user].Name, c.services[makers[0].service].Name
	link := Link{User: name, Name: taken.Name, Base: base}
	c.note("%s asks for %s (%s), which comes from a registry: %s makes %s; %s builds on that one", name, taken.Name, taken.At, base, makers[0].made.Name, link)
}

// noteOtherName tells of an image that is called like a service which has no name but its own: a folder's, for one.
func (c *connection) noteOtherName(user int, taken Taken) {
	repo := repository(taken.Name)
	base, found := c.names.services[path.Base(repo)]
	if !found || base == user || strings.HasPrefix(repo, "docker.io/library/") {
		return
	}
	of := c.services[base]
	if slices.ContainsFunc(of.Made, func(m Made) bool { return strings.Contains(m.Name, "/") }) {
		return
	}
	link := Link{Name: taken.Name, Base: of.Name}
	if c.noted[link.String()] {
		return // told of another user
	}
	c.noted[link.String()] = true
	c.note("%s (%s) comes from a registry; if %s is meant: %s", taken.Name, taken.At, of.Name, link)
}

func (c *connection) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !c.noted[text] {
		c.noted[text] = true
		c.notes = append(c.notes, text)
	}
}

func (c *connection) serviceNames() []string {
	var list []string
	for _, s := range c.services {
		list = append(list, s.Name)
	}
	return list
}
