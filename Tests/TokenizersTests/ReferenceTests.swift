import Foundation
import TestSupport
import Testing

@testable import Tokenizers

/// Ids beside those of Hugging Face's own `tokenizers`, on text of everything that tokenizers treat apart. With
/// `TOLLGATE_LONG` there are 50 MB of it.
@Suite(.serialized, .timeLimit(.minutes(60)))
struct ReferenceTests {
    @Test(.enabled(if: ReferenceTokenizers.isInstalled, "tokenizers is not in .venv: scripts/setup-machine"))
    func `every id is the one that the reference gives`() throws {
        let reference = try ReferenceTokenizers.made.get()
        for name in ReferenceTokenizers.names {
            let tokenizer = try reference.tokenizer(name)
            let expected = try reference.ids(name)
            var wrong = 0
            for (index, text) in reference.texts.enumerated() {
                let ids = tokenizer.tokens(of: text)
                guard ids != expected[index] else { continue }
                wrong += 1
                guard wrong <= 3 else { continue }
                let place = zip(ids, expected[index]).enumerated().first { $0.element.0 != $0.element.1 }?.offset
                Issue.record("\(name), text \(index) of \(text.utf8.count) bytes: token \(place ?? -1) differs")
            }
            #expect(wrong == 0, "\(name): \(wrong) of \(expected.count) texts differ")
        }
    }

    @Test(.enabled(if: ReferenceTokenizers.isInstalled, "tokenizers is not in .venv: scripts/setup-machine"))
    func `a text counted in pieces has the tokens of the whole, wherever it is cut`() throws {
        let reference = try ReferenceTokenizers.made.get()
        for name in ReferenceTokenizers.names {
            let tokenizer = try reference.tokenizer(name)
            let expected = try reference.ids(name)
            let cache = WordCache()
            var random = SeededGenerator(seed: 4)
            for (index, text) in reference.texts.enumerated().prefix(400) {
                #expect(tokenizer.count(text, cache: cache) == expected[index].count, "\(name), text \(index)")
                var counter = TokenCounter(tokenizer, cache: cache)
                var rest = Array(text.utf8)[...]
                while !rest.isEmpty {
                    let piece = rest.prefix(Int.random(in: 1...900, using: &random))
                    counter.append(piece)
                    rest = rest.dropFirst(piece.count)
                }
                #expect(counter.count == expected[index].count, "\(name), text \(index) in pieces")
            }
        }
    }
}

/// What scripts/tokenizers/reference.py made for this run.
struct ReferenceTokenizers {
    private static let python = ProgramFiles.python

    static let isInstalled: Bool =
        FileManager.default.isExecutableFile(atPath: python) && (try? run(["-c", "import tokenizers"])) == 0

    static let names = [
        "gpt2", "llama3", "llama3-stripping", "qwen2", "llama2", "llama2-reaching", "metaspace-first",
        "metaspace-always", "metaspace-never",
    ]

    static let made = Result { try ReferenceTokenizers() }

    let texts: [String]
    private let files: [String: [UInt8]]
    private let idsByName: [String: [[UInt32]]]

    private init() throws {
        let isLong = ProcessInfo.processInfo.environment["TOLLGATE_LONG"] != nil
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("tokenizers-\(UUID().uuidString)")
        let script = "\(repositoryRoot)/scripts/tokenizers/reference.py"
        let status = try Self.run([script, directory.path, isLong ? "50" : "2", "1"])
        defer { try? FileManager.default.removeItem(at: directory) }
        try #require(status == 0, "reference.py failed")
        texts = try Self.records(directory.appendingPathComponent("texts.bin"), width: 1).map {
            String(decoding: $0, as: UTF8.self)
        }
        var files: [String: [UInt8]] = [:]
        var idsByName: [String: [[UInt32]]] = [:]
        for name in Self.names {
            files[name] = Array(try Data(contentsOf: directory.appendingPathComponent("\(name).json")))
            idsByName[name] = try Self.records(directory.appendingPathComponent("\(name).ids"), width: 4).map { bytes in
                bytes.withUnsafeBytes { bytes in
                    (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self) }
                }
            }
        }
        self.files = files
        self.idsByName = idsByName
    }

    func tokenizer(_ name: String) throws -> Tokenizer { try Tokenizer(json: try #require(files[name])) }

    func ids(_ name: String) throws -> [[UInt32]] { try #require(idsByName[name]) }

    /// Records of a count and so many values of `width` bytes.
    private static func records(_ file: URL, width: Int) throws -> [ArraySlice<UInt8>] {
        let bytes = Array(try Data(contentsOf: file))
        var records: [ArraySlice<UInt8>] = []
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes { Int($0.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
            records.append(bytes[offset + 4..<offset + 4 + count * width])
            offset += 4 + count * width
        }
        return records
    }

    private static func run(_ arguments: [String]) throws -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }
}
