package project

import "slices"

// links knows what the user has said of names.
type links struct {
	list []Link
	// byName are the places of the links for one image.
	byName map[string][]int
	// used tells which of them stand for something that is asked for.
	used []bool
}

func newLinks(list []Link) links {
	l := links{list: list, byName: map[string][]int{}, used: make([]bool, len(list))}
	for i, link := range list {
		name := spelt(link.Name)
		l.byName[name] = append(l.byName[name], i)
	}
	return l
}

// find gives the link that holds for a name in a service: one for the service alone goes
// before one for all, which does not hold for the base itself. Without one it is nil.
func (l links) find(user, name string) *Link {
	if len(l.list) == 0 {
		return nil
	}
	general, own := -1, -1
	for _, i := range l.byName[spelt(name)] {
		switch link := l.list[i]; {
		case link.User == user && own < 0:
			own = i
		case link.User == "" && link.Base != user && general < 0:
			general = i
		case link.User != "" && link.User != user:
			continue
		}
		l.used[i] = true
	}
	switch {
	case own >= 0:
		return &l.list[own]
	case general >= 0:
		return &l.list[general]
	}
	return nil
}

// linked is the Why of an edge that a link has made.
func linked(e Edge) string { return Link{User: e.User, Name: e.Name, Base: e.Base}.String() }

// checkLinks looks whether links name services, and whether two contradict each other.
func (c *connection) checkLinks() {
	for i, link := range c.links.list {
		for _, name := range []string{link.User, link.Base} {
			_, known := c.names.services[name]
			if known || name == "" && link.User == "" && name != link.Base {
				continue
			}
			c.links.used[i] = true // one cause, one error
			c.fail(&UnknownServiceError{From: link.String(), Name: name, Known: c.serviceNames()})
		}
		for _, before := range c.links.byName[spelt(link.Name)] {
			if first := c.links.list[before]; before < i && first.User == link.User && first.Base != link.Base {
				c.fail(&TwoLinksError{First: first, Second: link})
			}
		}
	}
}

// checkTaken looks whether the links stand for images that somebody asks for. Services that
// are not built this time are asked, too: the links may be those of all runs.
func (c *connection) checkTaken() {
	if !slices.Contains(c.links.used, false) {
		return
	}
	var names []string
	byUser := map[string][]string{}
	for i, s := range c.services {
		platforms := c.states[i].platforms
		if !c.states[i].reached {
			platforms = s.Platforms
		}
		for _, on := range platforms {
			answer := c.takes(i, on)
			if answer.err != nil {
				return // who knows what it would have asked for
			}
			for _, taken := range answer.taken {
				c.links.find(s.Name, taken.Name)
				byUser[s.Name] = appendNew(byUser[s.Name], taken.Name)
				names = appendNew(names, taken.Name)
			}
		}
	}
	for i, link := range c.links.list {
		if c.links.used[i] {
			continue
		}
		taken := names
		if link.User != "" {
			taken = byUser[link.User]
		}
		c.fail(&UntakenError{Link: link, Taken: taken})
	}
}

func appendNew(list []string, name string) []string {
	if slices.Contains(list, name) {
		return list
	}
	return append(list, name)
}

// checkMakers looks whether two services that are built make one name: the tag would be
// that of whoever comes last.
func (c *connection) checkMakers() {
	for i, s := range c.services {
		if !c.states[i].reached {
			continue
		}
		for _, made := range s.Made {
			name, _ := form(made.Name)
			built := slices.DeleteFunc(slices.Clone(c.names.images[name]), func(m maker) bool { return !c.states[m.service].reached })
			for _, second := range built[min(1, len(built)):] {
				if built[0].service == i {
					c.fail(c.twoMakers(built[0], second))
				}
			}
		}
	}
}

func (c *connection) twoMakers(first, second maker) error {
	return &TwoMakersError{
		Name: second.made.Name, First: c.services[first.service].Name, Second: c.services[second.service].Name,
		FirstMade: first.made, SecondMade: second.made,
	}
}
