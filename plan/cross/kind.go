package cross

// Kind is why a stage stays, in a word.
type Kind string

// The kinds; testdata/table/README.md has a sentence for each.
const (
	TargetStage         Kind = "target-stage"
	BaseOfStayingStage  Kind = "base-of-staying-stage"
	StartsFromStaying   Kind = "starts-from-staying-stage"
	RunsNothing         Kind = "runs-nothing"
	AuthorDecided       Kind = "author-decided"
	BaseIsPerPlatform   Kind = "base-is-per-platform"
	Onbuild             Kind = "onbuild"
	TargetPackagesLeave Kind = "target-packages-leave"
	TargetProgramsEnter Kind = "target-programs-enter"
	OutputNotRecipe     Kind = "output-not-recipe"
	RunsTargetCode      Kind = "runs-target-code"
	ToolRuns            Kind = "tool-runs"
	WorksOnOutput       Kind = "works-on-output"
	ArchAsked           Kind = "arch-asked"
	NamesArchitecture   Kind = "names-architecture"
	UnknownCommand      Kind = "unknown-command"
	ScriptNotSeen       Kind = "script-not-seen"
	ShellNotParsed      Kind = "shell-not-parsed"
	CgoUndecided        Kind = "cgo-undecided"
	CgoOn               Kind = "cgo-on"
	RaceOrBuildmode     Kind = "race-or-buildmode"
	InstallPath         Kind = "install-path"
	NodeModulesLeave    Kind = "node-modules-leave"
	NativeAddon         Kind = "native-addon"
	JNI                 Kind = "jni"
	MakesNativePrograms Kind = "makes-native-programs"
	RecipeNotThereYet   Kind = "recipe-not-there-yet"
	SwitchedOff         Kind = "switched-off"
)
