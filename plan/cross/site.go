package cross

// The recipe for static sites: pages are made of text. The generator and its plugins
// are the machine's that the stage runs on and stay behind.

var siteCommands = map[string]handler{"hugo": hugo, "mkdocs": pages("build", "site"), "zola": pages("build", "public"), "mdbook": pages("build", "book")}

func hugo(w *walk, c *command) {
	w.used["site"] = true
	to, ok := c.option("-d", "--destination")
	if !ok {
		to = "public"
	}
	args := c.operands("-d --destination -b --baseURL -s --source -e --environment -c --contentDir -t --theme --config --configDir --cacheDir --logLevel --themesDir --layoutDir")
	if len(args) > 0 && args[0].text != "build" && args[0].text != "mod" && !(args[0].text == "version" && !c.kept) {
		w.stay(UnknownCommand, c.line, "%s is not known", c.text())
	}
	if from, ok := c.option("-s", "--source"); ok {
		c.vars.dir = c.vars.abs(from)
	}
	w.wrote(c.vars.abs(to))
}

// pages is a generator with one verb that makes pages, in a folder unless it is told another.
func pages(verb, folder string) handler {
	return func(w *walk, c *command) {
		w.used["site"] = true
		args := c.operands("-d --site-dir --dest-dir -o --output-dir -f --config-file")
		if len(args) == 0 || args[0].text != verb {
			w.stay(UnknownCommand, c.line, "%s is not known", c.text())
		}
		to, ok := c.option("-d", "--site-dir", "--dest-dir", "-o", "--output-dir")
		if !ok {
			to = folder
		}
		w.wrote(c.vars.abs(to))
	}
}
