package nodes

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/internal/nearest"
	"github.com/archbuild/archbuild/platform"
)

// EngineAddress is the address of the private engine. It can be a node among
// others.
const EngineAddress = "engine"

// Spec is a node as somebody named it. Nothing was asked of the server yet.
type Spec struct {
	// Name is how messages call the node; never empty.
	Name string
	// Address is EngineAddress or what BuildKit's client connects to.
	Address string
	// Platforms that the node is declared native for; none if nobody said.
	Platforms []platform.Platform
	// Weight is how much work the node gets beside others, above 0; 1 unless said.
	Weight float64
	// Jobs is how many platforms are built there at once; 0 leaves it to the
	// number of cores.
	Jobs int
	TLS  builder.TLS
	// Passwords are the registries, host[:port], whose user and password the node may have
	// themselves. Nodes of other machines get tokens else, which not every registry makes.
	Passwords []string
	// From is where the node was named, as messages say it: "--node",
	// "BUILDKIT_HOST", "/home/me/.config/archbuild/config.yaml:3", "--builder farm".
	From string
	// Err is why the node cannot be reached from here, where that is known without
	// trying: a builder of buildx's can hold such nodes.
	Err error
}

// keys of a node, in the order in which String writes them.
var keys = []string{"platform", "weight", "name", "jobs", "passwords", "cacert", "cert", "key", "servername", "tlsdir"}

// The alphabets of values.
var (
	namePattern   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	weightPattern = regexp.MustCompile(`^[0-9]{1,4}(\.[0-9]{1,3})?$`)
	jobsPattern   = regexp.MustCompile(`^[1-9][0-9]{0,2}$`)
)

// Parse reads what --node takes: ADDRESS[,KEY=VALUE…]; the package comment has
// the grammar. Files that it names must be there. The error is an *Error.
func Parse(text string) (Spec, error) { return parse(text, "") }

// parse takes relative paths from a folder.
func parse(text, folder string) (Spec, error) {
	address, rest, _ := strings.Cut(text, ",")
	spec, err := ParseAddress(address)
	if err != nil {
		return Spec{}, err
	}
	spec.From = "--node"
	fail := func(what, hint string) (Spec, error) { return Spec{}, &Error{address, what, hint} }
	given := map[string]string{}
	for _, item := range strings.Split(rest, ",") {
		if rest == "" && !strings.HasSuffix(text, ",") {
			break
		}
		key, value, ok := strings.Cut(item, "=")
		switch _, twice := given[key]; {
		case !ok && item == "":
			return fail("nothing stands between two commas", "write ADDRESS,KEY=VALUE,KEY=VALUE")
		case !ok && isPlatform(item) && given["platform"] != "":
			return fail(quoted(item)+" is no KEY=VALUE", "join platforms with a +, not with a comma: platform="+given["platform"]+"+"+item)
		case !ok:
			return fail(quoted(item)+" is no KEY=VALUE", "keys are "+strings.Join(keys, ", ")+"; a value with a comma can only be written in the configuration file")
		case !slices.Contains(keys, key):
			return fail("unknown key "+quoted(key), meant(key, keys))
		case twice:
			return fail(key+" is given twice", "keep one of them; several platforms are joined with +")
		case value == "":
			return fail(key+" has no value", "write "+key+"=VALUE, or leave it out")
		}
		given[key] = value
	}
	if err := spec.set(given, folder, addressed(address)); err != nil {
		return Spec{}, err
	}
	return spec, nil
}

func isPlatform(text string) bool {
	_, err := platform.Parse(text)
	return err == nil
}

// ParseAddress reads an address alone, as BUILDKIT_HOST has it. The error is an
// *Error.
func ParseAddress(address string) (Spec, error) {
	if err := checkAddress(address); err != nil {
		return Spec{}, err
	}
	return Spec{Name: defaultName(address), Address: address, Weight: 1, From: "BUILDKIT_HOST"}, nil
}

// set puts the values of keys in, and checks them; relative paths start at folder. fail makes the error.
func (s *Spec) set(given map[string]string, folder string, fail failure) error {
	for _, set := range []func(map[string]string, failure) error{s.setPlatforms, s.setNumbers, s.setName, s.setPasswords} {
		if err := set(given, fail); err != nil {
			return err
		}
	}
	return s.setTLS(given, folder, fail)
}

func (s *Spec) setPlatforms(given map[string]string, fail failure) error {
	if given["platform"] == "" {
		return nil
	}
	for _, word := range strings.Split(given["platform"], "+") {
		p, err := platform.Parse(word)
		if err != nil {
			return fail("platform", "platform: "+err.Error(), hintOf(err))
		}
		if slices.Contains(s.Platforms, p) {
			return fail("platform", fmt.Sprintf("platform %s is given twice", p), "keep one of them")
		}
		s.Platforms = append(s.Platforms, p)
	}
	return nil
}

func (s *Spec) setNumbers(given map[string]string, fail failure) error {
	if text, ok := given["weight"]; ok {
		weight, err := strconv.ParseFloat(text, 64)
		if err != nil || weight <= 0 || !weightPattern.MatchString(text) {
			return fail("weight", "weight "+quoted(text)+" is no number above 0", "1 is the usual weight, 2 is for a node of twice the power, 0.5 for half of it")
		}
		s.Weight = weight
	}
	if text, ok := given["jobs"]; ok {
		if !jobsPattern.MatchString(text) {
			return fail("jobs", "jobs "+quoted(text)+" is no number from 1 to 999", "say how many platforms the node builds at once, or leave jobs out: then its cores decide")
		}
		s.Jobs, _ = strconv.Atoi(text)
	}
	return nil
}

func (s *Spec) setName(given map[string]string, fail failure) error {
	name, ok := given["name"]
	switch {
	case !ok:
		return nil
	case !namePattern.MatchString(name):
		return fail("name", "name "+quoted(name)+" cannot be a node's", "letters, digits, dots, hyphens and underscores, 64 at most, for example arm-1")
	case name == EngineAddress && s.Address != EngineAddress:
		return fail("name", "the name engine is that of archbuild's own engine", "choose another name")
	}
	s.Name = name
	return nil
}

func (s *Spec) setPasswords(given map[string]string, fail failure) error {
	text, ok := given["passwords"]
	switch {
	case !ok:
		return nil
	case s.Address == EngineAddress:
		return fail("passwords", "archbuild's own engine is no other machine", "leave passwords out: it has them where it needs them")
	}
	for _, registry := range strings.Split(text, "+") {
		if !isRegistry(registry) {
			return fail("passwords", quoted(registry)+" is no registry", "name registries as images do, joined with a +: passwords=registry.example+other.example:5000")
		}
		if slices.Contains(s.Passwords, registry) {
			return fail("passwords", "registry "+registry+" is given twice", "keep one of them")
		}
		s.Passwords = append(s.Passwords, registry)
	}
	return nil
}

// isRegistry tells whether a word is host[:port].
func isRegistry(word string) bool {
	host, port, err := net.SplitHostPort(word)
	if err != nil {
		return isHost(strings.Trim(word, "[]")) && strings.ContainsAny(word, ".:") || word == "localhost"
	}
	return isHost(host) && isPort(port)
}

// String is what Parse reads as the same Spec. The files of tlsdir are written
// one by one.
func (s Spec) String() string {
	text := s.Address
	add := func(key, value string) {
		if value != "" {
			text += "," + key + "=" + value
		}
	}
	var platforms []string
	for _, p := range s.Platforms {
		platforms = append(platforms, p.String())
	}
	add("platform", strings.Join(platforms, "+"))
	if s.Weight != 1 {
		add("weight", strconv.FormatFloat(s.Weight, 'f', -1, 64))
	}
	if s.Name != defaultName(s.Address) {
		add("name", s.Name)
	}
	if s.Jobs > 0 {
		add("jobs", strconv.Itoa(s.Jobs))
	}
	add("passwords", strings.Join(s.Passwords, "+"))
	add("cacert", s.TLS.CA)
	add("cert", s.TLS.Certificate)
	add("key", s.TLS.Key)
	add("servername", s.TLS.ServerName)
	return text
}

// Unique sees to it that no two nodes have one name, and that no server is named
// twice. A name that was chosen by archbuild gets a number; two equal ones that
// somebody gave are an *Error.
func Unique(list []Spec) ([]Spec, error) {
	list = slices.Clone(list)
	taken := map[string]bool{}
	addresses := map[string]Spec{}
	for _, s := range list {
		if first, twice := addresses[s.Address]; twice {
			return nil, &Error{s.Address, fmt.Sprintf("the node is given twice (%s, %s)", first.From, s.From), "keep one of them; several platforms are joined with +"}
		}
		addresses[s.Address] = s
		if s.Name == defaultName(s.Address) {
			continue
		}
		if taken[s.Name] {
			return nil, &Error{s.Address, "another node has the name " + s.Name, "give each node a name of its own, or none"}
		}
		taken[s.Name] = true
	}
	for i, s := range list {
		if s.Name != defaultName(s.Address) {
			continue
		}
		name := s.Name
		for n := 2; taken[name]; n++ {
			name = s.Name + "-" + strconv.Itoa(n)
		}
		list[i].Name = name
		taken[name] = true
	}
	return list, nil
}

// meant is a hint that names the nearest of some words, or all of them.
func meant(word string, words []string) string {
	if near := nearest.Word(strings.ToLower(word), words); near != "" {
		return "did you mean " + near + "?"
	}
	return "known: " + strings.Join(words, ", ")
}
