import Foundation
import Metering
import TestSupport
import Testing

@testable import Engines

/// Random and mutated bodies beside other readers of them (scripts/differential/readers.py): whatever is accepted was
/// read as all of them read it, and what is reserved is at least what the most generous of them would generate.
/// `TOLLGATE_DIFFERENTIAL` raises the number of bodies.
@Suite struct DifferentialReadingTests {
    private struct Reading: Decodable {
        let model: String
        let stream: Bool
        let limit: Int64?
        let choices: Int64
    }

    private struct Sample: Decodable {
        let body: Data
        let type: String
        let surface: String
        let readings: [String: Reading]
    }

    private static let script = "\(repositoryRoot)/scripts/differential/readers.py"

    private static let isInstalled =
        FileManager.default.isExecutableFile(atPath: ProgramFiles.python)
        && (try? output(["-c", "import python_multipart"])) != nil

    private static func output(_ arguments: [String]) throws -> Data {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: ProgramFiles.python)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return output
    }

    @Test(.enabled(if: isInstalled, "python-multipart is not in .venv: scripts/setup-machine"))
    func `what is accepted was read as every other reader reads it`() throws {
        let count = ProcessInfo.processInfo.environment["TOLLGATE_DIFFERENTIAL"].flatMap { Int($0) } ?? 2000
        var accepted = 0
        var compared = 0
        let perRun = 10_000
        for run in 0..<(count + perRun - 1) / perRun {
            let bodies = min(perRun, count - run * perRun)
            let lines = try Self.output([Self.script, "\(run + 1)", "\(bodies)"])
            for line in lines.split(separator: 0x0A) {
                let sample = try JSONDecoder().decode(Sample.self, from: line)
                guard let request = read(sample) else { continue }
                accepted += 1
                for (reader, reading) in sample.readings {
                    compared += 1
                    compare(request, reading, reader, sample)
                }
            }
        }
        // Else nothing was compared, and the test means nothing.
        #expect(accepted > count / 20, "\(accepted) of \(count)")
        #expect(compared > count / 10, "\(compared) of \(count)")
    }

    private func read(_ sample: Sample) -> InferenceRequest? {
        guard let surface = Surface(rawValue: sample.surface) else { return nil }
        return Array(sample.body).withUnsafeBytes {
            try? InferenceRequest(reading: $0, surface: surface, contentType: sample.type)
        }
    }

    private func compare(_ request: InferenceRequest, _ reading: Reading, _ reader: String, _ sample: Sample) {
        let text = String(decoding: sample.body, as: UTF8.self)
        #expect(request.model == reading.model, "\(reader): \(text) (\(sample.type))")
        #expect(request.isStream == reading.stream, "\(reader): \(text)")
        #expect(request.choiceCount >= reading.choices, "\(reader): \(text)")
        guard sample.surface == Surface.chatCompletions.rawValue else { return }
        let kinds: [EngineKind] =
            switch reader {
            case "llama.cpp": [.llamaCpp]
            case "python, older": [.deepSeek]
            default: [.vllm]
            }
        // No limit of ours is one of theirs, and as large.
        guard let limit = request.outputTokensMax(on: kinds) else { return }
        #expect(limit >= reading.limit ?? .max, "\(reader): \(text)")
    }
}
