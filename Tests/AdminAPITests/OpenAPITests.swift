import Accounts
import Foundation
import TestSupport
import Testing

@testable import AdminAPI

@Suite(.database, .timeLimit(.minutes(10)))
struct OpenAPITests {
    /// The document as it is served.
    private func document(_ api: RunningAPI) async throws -> JSONAnswer {
        try await api.call("GET", "/openapi.json", as: nil)
    }

    private func endpoints() throws -> [Endpoint] {
        API.endpoints(RunningAPI.services(try RunningAPI.databaseOfTest))
    }

    @Test func `the document is served to everyone and names each route with its statuses`() async throws {
        try await RunningAPI.run { api in
            let answer = try await document(api)
            #expect(answer.status == 200 && answer["openapi"] == "3.1.0")
            let paths = try #require(answer.json["paths"])
            var operationIDs: Set<String> = []
            for endpoint in try endpoints() {
                let operation = try #require(
                    paths[endpoint.path]?[endpoint.method.rawValue.lowercased()],
                    "\(endpoint.method.rawValue) \(endpoint.path) is not in the document")
                #expect(
                    operationIDs.insert(endpoint.operationID).inserted, "\(endpoint.operationID) stands there twice")
                #expect(operation["summary"]?.text == endpoint.summary)
                let responses = try #require(operation["responses"])
                for status in endpoint.successes.map(\.status) + endpoint.problemStatuses {
                    #expect(responses["\(status)"] != nil, "\(endpoint.path) lacks \(status)")
                }
            }
            guard case .object(let all) = paths else { return }
            let operations = all.reduce(0) { count, path in
                if case .object(let methods) = path.value { count + methods.count } else { count }
            }
            #expect(operations == operationIDs.count, "the document names operations that nobody serves")
        }
    }

    @Test func `every reference in the document has its component`() async throws {
        try await RunningAPI.run { api in
            let answer = try await document(api)
            for match in answer.text.matches(of: /"\$ref":"#\/components\/(\w+)\/(\w+)"/) {
                let (kind, name) = (String(match.output.1), String(match.output.2))
                #expect(answer.json["components"]?[kind]?[name] != nil, "\(kind)/\(name) is not there")
            }
        }
    }

    @Test func `parameters in a path are declared, and every one is needed`() throws {
        for endpoint in try endpoints() {
            let inPath = endpoint.path.matches(of: /\{(\w+)\}/).map { String($0.output.1) }
            let declared = endpoint.parameters.filter { $0.location == .path }
            #expect(declared.map(\.name) == inPath, "\(endpoint.path)")
            #expect(declared.allSatisfy { $0.isRequired })
        }
    }

    @Test func `everything that changes something needs more than a viewer`() throws {
        let harmless = ["lintPlan", "diffPlanDocument"]
        for endpoint in try endpoints() where endpoint.method != .get && !harmless.contains(endpoint.operationID) {
            #expect(endpoint.access == .role(.billing) || endpoint.access == .role(.admin), "\(endpoint.path)")
        }
    }

    @Test(.enabled(if: OpenAPIValidator.isInstalled, "openapi-spec-validator is not in .venv: scripts/setup-machine"))
    func `a validator of OpenAPI finds nothing wrong with it`() async throws {
        try await RunningAPI.run { api in
            let complaint = try OpenAPIValidator.complaint(about: try await document(api).text)
            #expect(complaint == nil)
        }
    }
}

/// The Python validator of the repository's environment.
enum OpenAPIValidator {
    private static let python = "\(repositoryRoot)/.venv/bin/python"

    static let isInstalled = (try? run(["-c", "import openapi_spec_validator"]).status) == 0

    /// What is wrong with a document; nil when nothing is.
    static func complaint(about document: String) throws -> String? {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("openapi-\(UUID().uuidString).json")
        try Data(document.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let (status, output) = try run(["-m", "openapi_spec_validator", "--schema", "3.1", file.path])
        return status == 0 ? nil : output
    }

    private static func run(_ arguments: [String]) throws -> (status: Int32, output: String) {
        guard FileManager.default.isExecutableFile(atPath: python) else { return (127, "") }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }
}
