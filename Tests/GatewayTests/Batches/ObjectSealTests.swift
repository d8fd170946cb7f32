import Engines
import Identity
import Metering
import NaiveArithmetic
import Testing

@testable import Gateway

@Suite struct ObjectSealTests {
    private let backends = ["one", "two"].map {
        Backend(name: $0, isTLS: false, host: "h", port: 1, basePath: "", apiKey: nil)
    }
    private let project = TestGateway.id(301, IDKinds.Project.self)
    private let other = TestGateway.id(302, IDKinds.Project.self)

    private func seal(_ secret: String = "a secret") throws -> ObjectSeal {
        try #require(ObjectSeal(secret: Array(secret.utf8)))
    }

    @Test func `an id opens for its own project, kind and secret, and names its backend`() throws {
        let seal = try seal()
        let place = ObjectSeal.Place(backend: "two", id: "file-abc")
        let id = seal.sealed(place, .file, for: project)
        #expect(seal.opened(id, .file, for: project, on: backends) == place)
        #expect(seal.opened(id, .batch, for: project, on: backends) == nil)
        #expect(seal.opened(id, .file, for: other, on: backends) == nil)
        #expect(seal.opened(id, .file, for: project, on: [backends[0]]) == nil)
        #expect(try self.seal("another").opened(id, .file, for: project, on: backends) == nil)
        #expect(ObjectSeal(secret: []) == nil)
    }

    @Test func `no other id opens`() throws {
        let seal = try seal()
        let id = Array(seal.sealed(ObjectSeal.Place(backend: "one", id: "file-abc"), .file, for: project).utf8)
        for index in id.indices {
            var changed = id
            changed[index] = changed[index] == UInt8(ascii: "0") ? UInt8(ascii: "1") : UInt8(ascii: "0")
            let text = String(decoding: changed, as: UTF8.self)
            #expect(seal.opened(text, .file, for: project, on: backends) == nil, "\(text)")
        }
        for text in ["", "file-abc", "-tg", String(repeating: "f", count: 35), String(repeating: "é", count: 40)] {
            #expect(seal.opened(text, .file, for: project, on: backends) == nil)
        }
    }

    @Test func `a file's tag is read back from its name, whatever the client called it`() throws {
        let seal = try seal()
        let tag = FileTag(byteCount: 4711, surface: .responses, model: "org/large:2\n.x")
        let name = tag.name(before: "a.b.jsonl", for: project, on: "one", by: seal)
        let (read, original) = try #require(FileTag.read(name, for: project, on: "one", by: seal))
        #expect(read == tag)
        #expect(original == "a.b.jsonl")
        #expect(FileTag.read(name, for: other, on: "one", by: seal) == nil)
        #expect(FileTag.read(name, for: project, on: "two", by: seal) == nil)
        #expect(FileTag.read("a.b.jsonl", for: project, on: "one", by: seal) == nil)
    }

    @Test func `an owner is bound to the batch's file`() throws {
        let seal = try seal()
        let owner = BatchOwner(
            requestID: TestGateway.id(1), accountID: TestGateway.id(2), tenantID: TestGateway.id(3), projectID: project,
            keyID: TestGateway.id(5), subscriptionID: TestGateway.id(6), clockOffsetMilliseconds: -3,
            surface: .embeddings, model: "m", priceKey: "p", upstreamModel: "org/m")
        let value = try #require(owner.value(file: "file-1", on: "one", by: seal))
        #expect(value.utf8.count <= BatchOwner.valueBytesMax)
        #expect(BatchOwner(value: value, file: "file-1", on: "one", by: seal) == owner)
        #expect(BatchOwner(value: value, file: "file-2", on: "one", by: seal) == nil)
        #expect(BatchOwner(value: value, file: "file-1", on: "two", by: seal) == nil)
        #expect(BatchOwner(value: value + "A", file: "file-1", on: "one", by: seal) == nil)
        #expect(BatchOwner(value: "1..", file: "file-1", on: "one", by: seal) == nil)
    }

    @Test func `base64 reads back what it wrote, and nothing else`() {
        var random = SeededGenerator(seed: 3)
        for length in 0..<200 {
            let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            #expect(Base64URL.bytes(of: Base64URL.text(of: bytes)) == bytes)
        }
        #expect(Base64URL.bytes(of: "AB") == nil)
        #expect(Base64URL.bytes(of: "A") == nil)
        #expect(Base64URL.bytes(of: "A=") == nil)
    }

    @Test(arguments: [
        ("/v1/files", JobPath.files), ("/v1/files/a%2Db", .file("a-b")), ("/v1/files/a/content", .fileContent("a")),
        ("/v1/batches", .batches), ("/v1/batches/b", .batch("b")), ("/v1/batches/b/cancel", .batchCancellation("b")),
        ("/v1/files/", nil), ("/v1/files/a/b", nil), ("/v1/files/a/content/x", nil), ("/v1/batchesx", nil),
        ("/v1/batches/b/content", nil), ("/v2/files", nil),
    ])
    func `a path leads to its call`(path: String, expected: JobPath?) {
        #expect(JobPath(path: path[...]) == expected)
    }
}
