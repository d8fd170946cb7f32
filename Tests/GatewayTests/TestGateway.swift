import Accounts
import Engines
import Foundation
import Glibc
import Identity
import Limits
import Metering
import Pricing
import Synchronization
import Telemetry
import TestSupport
import Testing
import Tokenizers

@testable import Gateway
@testable import UsageJournal

/// A gateway on a scripted engine with a real journal in a directory of its own.
final class TestGateway: Sendable {
    let server: GatewayServer
    let engine: ScriptedEngine
    let journal: Journal
    private let files: TemporaryDirectory
    let metrics: MetricsRegistry
    let logLines: LogLines

    final class LogLines: Sendable {
        private let lines = Mutex<[String]>([])
        func append(_ line: [UInt8]) { lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) } }
        var text: String { lines.withLock { $0.joined() } }
    }

    static let key = "sk-test-abc"
    /// Of another tenant.
    static let otherKey = "sk-test-other"

    init(
        engine: ScriptedEngine, port: Int? = nil, onClientAbort: ClientAbortPolicy = .drain,
        clockOffset: Int64 = 0, kind: EngineKind = .openAICompatible, limits: [LimitRule] = [],
        sliceSource: (any SliceSource)? = nil, snapshot: GatewaySnapshot? = nil,
        configure: (inout GatewayConfiguration) -> Void = { _ in },
        wrap: (Journal) -> any RequestJournal = { $0 }
    ) async throws {
        self.engine = engine
        files = try TemporaryDirectory()
        journal = try Journal.open(JournalConfiguration(directory: files.path + "/journal", segmentBytes: 1 << 20))
            .journal
        metrics = MetricsRegistry()
        let lines = LogLines()
        logLines = lines
        var configuration = GatewayConfiguration()
        configuration.times.refusalsMilliseconds = 100
        // On a busy machine tests take longer than a start, and what engines were asked is compared with what clients
        // sent.
        configuration.times.batchFirstSweepMilliseconds = 3_600_000
        configure(&configuration)
        server = try await GatewayServer.start(
            configuration: configuration, journal: wrap(journal),
            snapshot: snapshot
                ?? TestGateway.snapshot(
                    port: port ?? engine.port, onClientAbort: onClientAbort, clockOffset: clockOffset, kind: kind,
                    limits: limits),
            sliceSource: sliceSource,
            log: StructuredLog(minimumLevel: .debug, write: { lines.append($0) }), metrics: metrics)
    }

    static func id<Kind: IDKind>(_ number: UInt64, _ kind: Kind.Type = Kind.self) -> TypedID<Kind> {
        TypedID(UUIDv7(high: 0x0190_0000_0000_7000, low: 0x8000_0000_0000_0000 | number))
    }

    /// Answers come as the engine wrote them, so that tests can compare their bytes.
    static let keepingNames: BackendSettings = {
        var settings = BackendSettings()
        settings.answersUpstreamModel = true
        return settings
    }()

    static func snapshot(
        change: Int64 = 1, port: Int, onClientAbort: ClientAbortPolicy = .drain, clockOffset: Int64 = 0,
        key: String = TestGateway.key, isTLS: Bool = false, host: String = "127.0.0.1",
        basePath: String = "/base", kind: EngineKind = .openAICompatible, limits: [LimitRule] = [],
        sealingSecret: [UInt8] = [], settings: BackendSettings = TestGateway.keepingNames,
        tokenizers: [String: Tokenizer] = [:], prices: PriceSnapshot = PriceSnapshot(),
        tiers: [String] = ["standard", "priority"]
    ) -> GatewaySnapshot {
        func grant(_ number: UInt64, subscription: SubscriptionID?) -> KeyGrant {
            KeyGrant(
                keyID: id(number), accountID: id(100 + number), tenantID: id(200 + number), projectID: id(300 + number),
                subscriptionID: subscription, plan: "basic", tiers: tiers,
                onClientAbort: onClientAbort, clockOffsetMilliseconds: clockOffset)
        }
        let backend = Backend(
            name: "scripted", isTLS: isTLS, host: host, port: port, basePath: basePath, apiKey: "engine-key",
            hardware: "h100x8", quantisation: "fp8", kind: kind, settings: settings)
        func model(_ name: String, aliases: [String] = [], tenants: Set<TenantID>? = nil) -> CatalogueModel {
            CatalogueModel(
                publicName: name, aliases: aliases, backend: backend, upstreamName: "engine-\(name)",
                priceKey: "price-\(name)", contextTokensMax: 4096, outputTokensMax: 1024, tenantsAllowed: tenants,
                createdAtSeconds: 1_700_000_000)
        }
        // A native path that names no model means the only one there is.
        let privateModels = kind == .openAICompatible ? [model("private", tenants: [id(999)])] : []
        let catalogue = ModelCatalogue(models: [model("small", aliases: ["small-latest"])] + privateModels)
        let keys = KeyDirectory(grants: [
            SHA256Digest(of: key): grant(1, subscription: id(401)),
            SHA256Digest(of: "sk-none"): grant(2, subscription: nil),
            SHA256Digest(of: otherKey): grant(3, subscription: id(403)),
        ])
        return GatewaySnapshot(
            change: change, keys: keys, catalogue: catalogue, prices: prices, limits: LimitDirectory(rules: limits),
            tokenizers: tokenizers, sealingSecret: sealingSecret)
    }

    func stop() async {
        await server.stop()
        journal.close()
        engine.close()
    }

    // MARK: Asking

    static func request(
        _ body: String, path: String = "/v1/chat/completions", key: String? = TestGateway.key, headers: String = ""
    ) -> String {
        let authorization = key.map { "authorization: Bearer \($0)\r\n" } ?? ""
        return "POST \(path) HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n\(authorization)\(headers)"
            + "content-length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    static func chat(_ extra: String = "") -> String {
        #"{"model":"small","messages":[{"role":"user","content":"SECRET-PROMPT hello"}]\#(extra)}"#
    }

    static let streamed = chat(#","stream":true"#)

    func connect() throws -> Socket { try Socket.connect(port: server.port) }

    /// Sends one request on a connection of its own and reads its answer.
    func ask(_ bytes: String) throws -> HTTPMessage {
        let socket = try connect()
        socket.send(bytes)
        return try #require(socket.readMessage())
    }

    // MARK: Reading the journal

    private var journalDirectory: String { files.path + "/journal" }

    var items: [JournalEntry] {
        get throws {
            var reader = try JournalReader(directory: journalDirectory)
            return try reader.next(limit: 100_000).compactMap { item in
                if case .entry(let entry) = item.content { entry } else { nil }
            }
        }
    }

    var closes: [UsageEntry] {
        get throws { try items.compactMap { if case .close(let entry) = $0 { entry } else { nil } } }
    }

    var opens: [UsageEntry] {
        get throws { try items.compactMap { if case .open(let entry) = $0 { entry } else { nil } } }
    }

    var progress: [UsageProgress] {
        get throws { try items.compactMap { if case .progress(let progress) = $0 { progress } else { nil } } }
    }

    var refusals: [RefusalCount] {
        get throws {
            try items.flatMap { item -> [RefusalCount] in if case .refusals(let counts) = item { counts } else { [] } }
        }
    }

    /// The metrics' text.
    var metricsText: String { metrics.text() }

    /// Waits for so many close records. The time is how long a machine may be busy with others, and is never waited out
    /// where all goes well.
    func records(_ count: Int, seconds: Int64 = 60) throws -> [UsageEntry] {
        let end = now() + seconds * 1000
        while now() < end {
            let found = try closes
            if found.count >= count { return found }
            pause(milliseconds: 10)
        }
        return try closes
    }

    func record(seconds: Int64 = 60) throws -> UsageEntry { try #require(try records(1, seconds: seconds).first) }

    /// What the journal would say of its running requests if the process were killed now: recovery of a copy.
    func lostIfKilledNow() throws -> [UsageEntry] {
        let copy = files.path + "/killed"
        try FileManager.default.copyItem(atPath: journalDirectory, toPath: copy)
        let (recovered, _) = try Journal.open(JournalConfiguration(directory: copy, segmentBytes: 1 << 20))
        defer { recovered.close() }
        var reader = try JournalReader(directory: copy)
        return try reader.next(limit: 100_000).compactMap { item in
            guard case .entry(.close(let entry)) = item.content else { return nil }
            return entry.request.outcome == .gatewayLost ? entry : nil
        }
    }

    /// What the next process would ask after if this one were killed now.
    func workIfKilledNow() throws -> [UsageEntry] {
        let copy = files.path + "/left"
        try FileManager.default.copyItem(atPath: journalDirectory, toPath: copy)
        let (recovered, report) = try Journal.open(JournalConfiguration(directory: copy, segmentBytes: 1 << 20))
        recovered.close()
        return report.runningWork.map(\.entry)
    }

    /// Goes on with work that another process left.
    func resume(_ entry: UsageEntry) async {
        guard let reservation = try? journal.appendOpen(entry) else { return }
        await server.resume([RecoveryReport.RunningWork(entry: entry, reservation: reservation)], in: journal)
    }

    /// Every byte that the journal has on disk.
    var journalBytes: [UInt8] {
        var bytes: [UInt8] = []
        guard let stream = opendir(journalDirectory) else { return [] }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { raw in
                String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
            }
            let descriptor = open("\(journalDirectory)/\(name)", O_RDONLY)
            guard descriptor >= 0 else { continue }
            var buffer = [UInt8](repeating: 0, count: 1 << 20)
            while case let count = read(descriptor, &buffer, buffer.count), count > 0 { bytes += buffer[..<count] }
            Glibc.close(descriptor)
        }
        return bytes
    }
}
