package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// templates is where the projects of crossBench lie, from the repository's root. Each has a Dockerfile as people write it and its
// twin.Dockerfile.
const templates = "internal/bench/testdata/cross"

// craneModule is the real program that is built.
const craneModule = "github.com/google/go-containerregistry@v0.22.1"

// makeProject puts a project together in the world's folder, with what is too big to be checked in:
//
//	cli        a small command line with cobra, whose modules are downloaded in a RUN
//	crane      crane's own repository with all modules vendored, 268 packages
//	frontend   React, three.js and TypeScript, made a bundle by vite; packages are downloaded in a RUN
//	java       400 generated classes, javac and jar
func makeProject(ctx context.Context, w *world, name string) (string, error) {
	dir := filepath.Join(w.dir, "projects", name)
	var err error
	switch name {
	case "crane":
		err = vendoredCrane(ctx, dir)
	case "java":
		err = generatedJava(filepath.Join(dir, "src", "example"), 400)
	}
	if err != nil {
		return "", fmt.Errorf("making the project: %w", err)
	}
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(templates, name))); err != nil {
		return "", fmt.Errorf("copying the project: %w", err)
	}
	return dir, nil
}

// vendoredCrane is the module as it is published, with a vendor folder. Only this fetches anything.
func vendoredCrane(ctx context.Context, dir string) error {
	download := exec.CommandContext(ctx, "go", "mod", "download", "-json", craneModule)
	download.Stderr = os.Stderr
	out, err := download.Output()
	if err != nil {
		return fmt.Errorf("go mod download %s: %w", craneModule, err)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		return err
	}
	if err := os.CopyFS(dir, os.DirFS(module.Dir)); err != nil {
		return err
	}
	vendor := exec.CommandContext(ctx, "go", "mod", "vendor")
	vendor.Dir, vendor.Stderr = dir, os.Stderr
	if err := vendor.Run(); err != nil {
		return fmt.Errorf("go mod vendor: %w", err)
	}
	return nil
}

// generatedJava writes classes that call each other and give a compiler something to infer.
func generatedJava(dir string, classes int) error {
	var calls strings.Builder
	for i := range classes {
		fmt.Fprintf(&calls, "        sum += new Part%d().run(%d);\n", i, i)
		if err := writeFile(filepath.Join(dir, fmt.Sprintf("Part%d.java", i)), fmt.Appendf(nil, javaPart, i, (i+1)%classes)); err != nil {
			return err
		}
	}
	return writeFile(filepath.Join(dir, "Main.java"), fmt.Appendf(nil, javaMain, calls.String()))
}

const javaMain = `package example;

public final class Main {
    public static void main(String[] args) {
        long sum = 0;
%s        System.out.println(sum);
    }
}
`

const javaPart = `package example;

import java.util.*;
import java.util.function.*;
import java.util.stream.*;

final class Part%[1]d {
    sealed interface Shape permits Circle, Square, Group {}
    record Circle(double radius) implements Shape {}
    record Square(double side) implements Shape {}
    record Group(List<Shape> shapes, Optional<String> name) implements Shape {}

    enum Level { LOW, MIDDLE, HIGH }

    private final Map<Level, List<Shape>> byLevel = new EnumMap<>(Level.class);

    static double area(Shape shape) {
        if (shape instanceof Circle c) {
            return Math.PI * c.radius() * c.radius();
        } else if (shape instanceof Square s) {
            return s.side() * s.side();
        } else if (shape instanceof Group g) {
            return g.shapes().stream().mapToDouble(Part%[1]d::area).sum();
        }
        throw new IllegalArgumentException(String.valueOf(shape));
    }

    static Level level(Shape shape) {
        return switch ((int) area(shape) %% 3) {
            case 0 -> Level.LOW;
            case 1 -> Level.MIDDLE;
            default -> Level.HIGH;
        };
    }

    long run(int seed) {
        List<Shape> shapes = IntStream.range(0, 10)
            .mapToObj(i -> i %% 2 == 0 ? new Circle(i + seed) : new Square(i * 2.0 + seed))
            .collect(Collectors.toCollection(ArrayList::new));
        shapes.add(new Group(List.copyOf(shapes), Optional.of("part%[1]d")));
        byLevel.putAll(shapes.stream().collect(Collectors.groupingBy(Part%[1]d::level)));
        Map<Boolean, Map<String, Double>> sums = byLevel.entrySet().stream().collect(Collectors.partitioningBy(
            e -> e.getKey().ordinal() > 0,
            Collectors.toMap(e -> e.getKey().name(), e -> e.getValue().stream().mapToDouble(Part%[1]d::area).sum(), Double::sum, TreeMap::new)));
        Function<Double, Function<Integer, Supplier<Long>>> scale = d -> n -> () -> Math.round(d * n);
        long total = sums.values().stream().flatMap(m -> m.values().stream()).map(d -> scale.apply(d).apply(2).get()).reduce(0L, Long::sum);
        return total %% 1000 + name(Comparator.<String>naturalOrder().reversed()).length();
    }

    String name(Comparator<String> order) {
        return Stream.of("a", "b", Part%[2]d.class.getSimpleName()).sorted(order.thenComparing(String::length)).collect(Collectors.joining("-"));
    }
}
`
