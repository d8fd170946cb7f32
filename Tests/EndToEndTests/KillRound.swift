import Glibc
import Postgres
import TestSupport

/// One life of an installation under load, in which its gateway is killed at every named point, at random times, and
/// once beside a Postgres that crashed. Where ingest is a process of its own, that one is killed at its own points, and
/// together with the gateway at random times.
struct KillRound {
    /// The places in the program where it can be made to die (docs/journal.md), and how often each is passed before.
    static let points: [(name: String, passagesMax: Int)] = [
        ("after-open", 40), ("mid-stream", 200), ("after-close-before-sync", 30), ("after-sync", 30),
        ("after-commit", 5), ("mid-batch", 5),
    ]
    /// Those that ingest passes.
    static let pointsOfIngest: Set<String> = ["after-commit", "mid-batch"]
    static let randomKills = 3

    /// How one gateway's life ends.
    enum Kill {
        case at(point: String, passage: Int)
        case after(milliseconds: Int)
        /// Postgres crashes under it and comes back, then it is killed as well.
        case afterDatabaseCrash(milliseconds: Int)
    }

    let seed: UInt64
    let installation: Installation
    private(set) var kills = 0
    /// Kills that happened where they were meant to.
    private(set) var killsAtPoints = 0
    private let isIngestApart: Bool
    /// Nil where it is part of the gateway, or was not started yet.
    private var ingest: RunningProgram?

    init(seed: UInt64, ingestApart: Bool = false) async throws {
        self.seed = seed
        isIngestApart = ingestApart
        installation = try await Installation.make(settings: ingestApart ? ["TOLLGATE_GATEWAY_INGEST": "apart"] : [:])
    }

    /// Runs it and returns what was found.
    mutating func run() async throws -> Audit {
        var random = SeededGenerator(seed: seed)
        let customers = [try await installation.customer("first"), try await installation.customer("second")]
        let load = try Load.start(
            installation, keys: customers.map(\.secret), seed: seed,
            options: ["--decode-ms", "4", "--leave", "0.1", "--concurrency", "10"])
        for kill in schedule(&random) { try await live(until: kill) }
        let last = try await installation.served()
        try await load.completes(20)
        let observations = try await load.stop()
        try await installation.stop(last)
        if let ingest { try await installation.stop(ingest) }
        return try await Audit.of(installation, observations)
    }

    private func schedule(_ random: inout SeededGenerator) -> [Kill] {
        let atPoints = Self.points.map { point in
            Kill.at(point: point.name, passage: Int.random(in: 1...point.passagesMax, using: &random))
        }
        let atTimes = (0..<Self.randomKills).map { _ in
            Kill.after(milliseconds: Int.random(in: 100...1500, using: &random))
        }
        let crash = Kill.afterDatabaseCrash(milliseconds: Int.random(in: 100...800, using: &random))
        return (atPoints + atTimes + [crash]).shuffled(using: &random)
    }

    private mutating func live(until kill: Kill) async throws {
        if isIngestApart, ingest == nil {
            // Ingest wants the directory that the gateway's first start makes.
            let first = try await installation.served()
            ingest = try installation.serve("ingest")
            try await killed(first)
        }
        switch kill {
        case .at(let point, let passage) where isIngestApart && Self.pointsOfIngest.contains(point):
            let gateway = try await installation.served()
            if let ingest { try await killed(ingest) }
            let dying = try installation.serve("ingest", environment: ["TOLLGATE_KILL_POINT": "\(point):\(passage)"])
            let deadline = ContinuousClock.now + .seconds(8)
            while dying.end == nil && ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(20)) }
            if dying.end == .killed(signal: SIGKILL) { killsAtPoints += 1 }
            try await killed(dying)
            ingest = try installation.serve("ingest")
            try await killed(gateway)
        case .at(let point, let passage):
            let gateway = try installation.serve(environment: ["TOLLGATE_KILL_POINT": "\(point):\(passage)"])
            // The load leads past every point within seconds; if a machine is too slow for that, any moment will do.
            let deadline = ContinuousClock.now + .seconds(8)
            while gateway.end == nil && ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(20)) }
            if gateway.end == .killed(signal: SIGKILL) { killsAtPoints += 1 }
            try await killed(gateway)
        case .after(let milliseconds):
            let gateway = try installation.serve()
            try await Task.sleep(for: .milliseconds(milliseconds))
            if let ingest {
                try await killed(ingest)
                self.ingest = try installation.serve("ingest")
            }
            try await killed(gateway)
        case .afterDatabaseCrash(let milliseconds):
            let cluster = try await TestCluster.durable.cluster()
            let gateway = try await installation.served()
            try await Task.sleep(for: .milliseconds(milliseconds))
            await cluster.crash()
            try await Task.sleep(for: .milliseconds(200))
            try await cluster.start()
            try await Task.sleep(for: .milliseconds(milliseconds))
            try await killed(gateway)
        }
        kills += 1
    }

    /// Sees to its death, which must be by SIGKILL: a program that ended by itself has found something wrong.
    private func killed(_ program: RunningProgram) async throws {
        program.send(SIGKILL)
        let end = try await program.ended()
        guard end == .killed(signal: SIGKILL) else {
            throw ProgramFailure("seed \(seed): a part ended by itself: \(end)\n\(program.errors)")
        }
    }
}
