import Accounts
import Foundation
import PlanLanguage
import Pricing
import TestSupport
import Testing

/// The JSON Schema of plans, held against the reader by a validator of the repository's Python environment.
@Suite(.enabled(if: SchemaValidator.isInstalled, "jsonschema is not in .venv: scripts/setup-machine"))
struct PlanSchemaTests {
    /// One line a document: its name, and what the validator says first.
    private static let script = """
        import json, os, sys, jsonschema, yaml
        class Text(yaml.SafeLoader): pass
        Text.yaml_implicit_resolvers = {
            first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith("timestamp")]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()}
        schema = json.load(open(os.environ["SCHEMA"]))
        jsonschema.Draft202012Validator.check_schema(schema)
        check = jsonschema.Draft202012Validator(schema)
        for path in sys.argv[1:]:
            wrong = sorted(check.iter_errors(yaml.load(open(path), Text)), key=lambda e: list(map(str, e.path)))
            print(os.path.basename(path), wrong[0].json_path if wrong else "fits")
        """

    private func verdicts(_ documents: [String: String]) throws -> [String: String] {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("schema-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let schema = directory.appendingPathComponent("plan.schema.json")
        try Data(PlanSchema.json.utf8).write(to: schema)
        var paths: [String] = []
        for (name, text) in documents {
            let file = directory.appendingPathComponent(name)
            try Data(text.utf8).write(to: file)
            paths.append(file.path)
        }
        let (status, output) = try SchemaValidator.run(Self.script, ["SCHEMA": schema.path], paths)
        try #require(status == 0, "\(output)")
        let lines = output.split(separator: "\n").map { $0.split(separator: " ", maxSplits: 1).map(String.init) }
        return Dictionary(uniqueKeysWithValues: lines.map { ($0[0], $0[1]) })
    }

    @Test func `every shipped plan fits, and so does its canonical text`() throws {
        let directory = URL(fileURLWithPath: repositoryRoot).appendingPathComponent("pricing-plans")
        var documents: [String: String] = [:]
        for file in try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
        where file.pathExtension == "yaml" {
            let text = try String(contentsOf: file, encoding: .utf8)
            documents[file.lastPathComponent] = text
            documents["canonical-" + file.lastPathComponent] = try PlanDocument(yaml: text).canonicalText
        }
        let verdicts = try verdicts(documents)
        #expect(verdicts.count == documents.count && documents.count >= 12)
        #expect(verdicts.filter { $0.value != "fits" } == [:])
    }

    /// What the reader refuses by its shape, the schema refuses too, at the same place.
    @Test func `mistakes of shape are found at their place`() throws {
        let plan = """
            plan: sample
            version: 1
            title: Sample
            currency: USD
            effective_from: 2026-01-01T00:00:00Z
            models:
              m: {input: "1", output: none, images: "0.04 per image", context: [{above: 5, multiplier: "2"}]}
            times: [{name: peak, zone: UTC, when: [{days: [mon], from: "01:00", to: "24:00"}], multiplier: "2"}]
            """
        let mistakes = [
            ("version: 1", "version: x", "$.version"), ("currency", "curency", "$"), ("\"1\"", "1", "$.models.m.input"),
            ("output: none, ", "", "$.models.m"), ("images", "pictures", "$.models.m"),
            ("above: 5", "above: -5", "$.models.m.context[0].above"), ("mon", "monday", "$.times[0].when[0].days[0]"),
            ("01:00", "1:00", "$.times[0].when[0].from"), ("zone: UTC, ", "", "$.times[0]"),
            ("0.04 per image", "0.04 each", "$.models.m.images"),
        ]
        var documents = ["whole": plan]
        for (index, mistake) in mistakes.enumerated() {
            let text = plan.replacing(mistake.0, with: mistake.1, maxReplacements: 1)
            documents["\(index)"] = text
            #expect(!PlanLint(yaml: text).isPublishable, "\(mistake)")
        }
        let verdicts = try verdicts(documents)
        #expect(verdicts["whole"] == "fits" && PlanLint(yaml: plan).isPublishable)
        for (index, mistake) in mistakes.enumerated() {
            #expect(verdicts["\(index)"]?.hasPrefix(mistake.2) == true, "\(mistake): \(verdicts["\(index)"] ?? "")")
        }
    }

    @Test(.database) func `the API publishes it`() async throws {
        try await RunningAPI.run { api in
            let answer = try await api.call("GET", "/v1/plan_schema", as: .viewer)
            #expect(answer.status == 200 && answer["$schema"] == "https://json-schema.org/draft/2020-12/schema")
        }
    }
}

enum SchemaValidator {
    private static let python = "\(repositoryRoot)/.venv/bin/python"
    static let isInstalled = (try? run("import jsonschema, yaml", [:]))?.status == 0

    static func run(
        _ script: String, _ environment: [String: String], _ arguments: [String] = []
    ) throws -> (status: Int32, output: String) {
        guard FileManager.default.isExecutableFile(atPath: python) else { return (127, "") }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = ["-c", script] + arguments
        process.environment = environment
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }
}
