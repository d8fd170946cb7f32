import Engines
import HTTP1
import Identity
import Metering
import NIOCore
import Telemetry

/// Looks after batches until they have ended, and has their lines put on record then, whether a client asks again or
/// not. Confined to one event loop; what has been settled is known to all of them (`BatchRegistry`).
///
/// Nothing of it has to survive: who created a batch stands in its metadata at the upstream, where the sweep finds what
/// this process, or another, did not see to its end.
final class BatchKeeper {
    private struct Entry {
        var askAt: NIODeadline
        var pauseMilliseconds: Int64
        let until = NIODeadline.now() + .hours(BatchKeeper.hoursMax)
        var isBusy = false
    }

    private unowned let loop: LoopContext
    private var entries: [ObjectSeal.Place: Entry] = [:]
    private var settlements: [ObjectSeal.Place: BatchSettlement] = [:]
    private var waiting: [(batch: UpstreamBatch, owner: BatchOwner)] = []
    /// Of each backend, so that one which hangs keeps no other's batches waiting.
    private var askingCounts: [String: Int] = [:]
    private var settlingCounts: [String: Int] = [:]
    /// Backends that gave no listing lately, and until when nobody waits for them.
    private var leftOutUntil: [String: NIODeadline] = [:]
    private var tickAt = NIODeadline.now()
    private lazy var sweep = BatchSweep(keeper: self, loop: loop)

    /// Batches looked after at once; the sweep finds the others.
    private static let entriesMax = 10_000
    /// The longest pause between two looks.
    private static let pauseMillisecondsMax: Int64 = 60_000
    /// The longest window that systems give a batch is a week.
    static let hoursMax: Int64 = 8 * 24
    /// Of one backend.
    private static let askingMax = 8
    /// Batches of one backend whose files are read at once; more wait, up to a bound.
    private static let settlingMax = 2
    private static let waitingMax = 1000
    private static let tickMilliseconds: Int64 = 250
    /// How long a backend that gave no listing is left out without being asked.
    private static let leftOutMilliseconds: Int64 = 30_000
    private static let answerMilliseconds: Int64 = 30_000

    init(loop: LoopContext) { self.loop = loop }

    private var registry: BatchRegistry { loop.shared.batches }

    /// Looks again and again until the batch has ended.
    func watch(_ place: ObjectSeal.Place) {
        guard entries[place] == nil, entries.count < Self.entriesMax else { return }
        let pause = loop.shared.configuration.times.batchPollMilliseconds
        entries[place] = Entry(askAt: .now() + .milliseconds(pause), pauseMilliseconds: pause)
    }

    func tick(now: NIODeadline) {
        guard now >= tickAt else { return }
        tickAt = now + .milliseconds(Self.tickMilliseconds)
        for (place, entry) in entries where !entry.isBusy && entry.askAt <= now {
            if now >= entry.until {
                entries[place] = nil
            } else if askingCounts[place.backend, default: 0] < Self.askingMax {
                look(place)
            }
        }
        if loop.isFirst { sweep.tick(now: now) }
    }

    func stop() {
        entries.removeAll()
        waiting.removeAll()
        for settlement in settlements.values { settlement.stop() }
    }

    // MARK: Listings

    /// Whether a backend's rows are left out without asking it.
    func isLeftOut(_ backend: String) -> Bool { leftOutUntil[backend].map { .now() < $0 } ?? false }

    /// A backend gave no listing, or was not asked for one.
    func leftOut(_ backend: String) {
        loop.shared.registry.counter(
            "tollgate_listings_left_out_total", help: "Listings of files or batches that lack a backend's rows.",
            labels: ["backend": backend]
        ).increment()
        guard !isLeftOut(backend) else { return }
        leftOutUntil[backend] = .now() + .milliseconds(Self.leftOutMilliseconds)
        loop.shared.log.warning(
            "backend returned no listing of its files or batches; left out of listings", ["backend": "\(backend)"])
    }

    func hasListed(_ backend: String) { leftOutUntil[backend] = nil }

    // MARK: Looking

    private func look(_ place: ObjectSeal.Place) {
        let snapshot = loop.shared.snapshots.current
        guard let seal = ObjectSeal(secret: snapshot.sealingSecret),
            let backend = snapshot.catalogue.backend(named: place.backend)
        else { return pauseLonger(place) }
        entries[place]?.isBusy = true
        askingCounts[place.backend, default: 0] += 1
        ask(backend, "/" + PercentEncoding.encoded(place.id), query: "") { [weak self] answer in
            guard let self else { return }
            askingCounts[place.backend] = askingCounts[place.backend].flatMap { $0 > 1 ? $0 - 1 : nil }
            entries[place]?.isBusy = false
            if let status = answer?.head.status, status == 404 || status == 410 {
                loop.shared.log.warning(
                    "batch not found at its backend; its usage is unknown",
                    ["batch": "\(place.id)", "backend": "\(place.backend)"])
                entries[place] = nil
                registry.forget(place)
                return
            }
            guard let answer, answer.head.status == 200,
                let batch = UpstreamBatch(answer.body, on: place.backend, by: seal), batch.hasEnded
            else { return pauseLonger(place) }
            settle(batch)
            // Another event loop may be at it, or done.
            if registry.isSettled(place) { entries[place] = nil } else { pauseLonger(place) }
        }
    }

    private func pauseLonger(_ place: ObjectSeal.Place) {
        guard let pause = entries[place]?.pauseMilliseconds else { return }
        let longer = min(pause * 3 / 2, Self.pauseMillisecondsMax)
        entries[place]?.pauseMilliseconds = longer
        entries[place]?.askAt = .now() + .milliseconds(longer)
    }

    /// Asks about batches with GET.
    func ask(
        _ backend: Backend, _ rest: String, query: String, whenAnswered: @escaping (EngineCall.Answer?) -> Void
    ) {
        let target = backend.target(of: .batches, method: "GET", rest: rest, query: query)
        let question = EngineCall.Question(
            backend: backend, path: target.requestTarget,
            headers: backend.dialect.headers(for: target, backend: backend, content: .unsigned),
            answerMilliseconds: Self.answerMilliseconds)
        EngineCall.ask(question, tls: loop.shared.upstreamTLS, on: loop.eventLoop, whenAnswered: whenAnswered)
    }

    // MARK: Settling

    /// Has the lines of a batch that has ended put on record, unless they are, or someone is at it. Where the database
    /// is away and cannot say, metering again is better than not to meter, if someone waits for it (`isUrgent`).
    func settle(_ batch: UpstreamBatch, isUrgent: Bool = true) {
        guard let owner = batch.owner, registry.begin(batch.place) else { return }
        guard let book = registry.book else { return enqueue(batch, owner) }
        let creation = BatchCreation(accountID: owner.accountID, requestID: owner.requestID)
        let bound = NIOLoopBound((self, batch, owner), eventLoop: loop.eventLoop)
        loop.eventLoop.makeFutureWithTask { try await book.recorded([creation]) }.whenComplete { result in
            let (keeper, batch, owner) = bound.value
            switch result {
            case .success(let recorded) where recorded.contains(owner.requestID):
                keeper.ended(batch.place, isSettled: true)
            case .failure where !isUrgent: keeper.registry.end(batch.place, isSettled: false)
            case .success, .failure: keeper.enqueue(batch, owner)
            }
        }
    }

    private func enqueue(_ batch: UpstreamBatch, _ owner: BatchOwner) {
        guard waiting.count < Self.waitingMax else { return ended(batch.place, isSettled: false) }
        waiting.append((batch, owner))
        startWaiting()
    }

    private func startWaiting() {
        while let index = waiting.firstIndex(where: {
            settlingCounts[$0.batch.place.backend, default: 0] < Self.settlingMax
        }) {
            let (batch, owner) = waiting.remove(at: index)
            let name = batch.place.backend
            let snapshot = loop.shared.snapshots.current
            guard let seal = ObjectSeal(secret: snapshot.sealingSecret),
                let backend = snapshot.catalogue.backend(named: batch.place.backend)
            else {
                ended(batch.place, isSettled: false)
                continue
            }
            let records = BatchLineRecord(
                owner: owner, backend: backend, batchID: batch.place.id,
                sealedID: seal.sealed(batch.place, .batch, for: owner.projectID))
            let settlement = BatchSettlement(batch, of: records, loop: loop) { [weak self] isSettled in
                self?.settlements[batch.place] = nil
                self?.settlingCounts[name] = self?.settlingCounts[name].flatMap { $0 > 1 ? $0 - 1 : nil }
                self?.ended(batch.place, isSettled: isSettled)
                self?.startWaiting()
            }
            settlements[batch.place] = settlement
            settlingCounts[name, default: 0] += 1
            settlement.start()
        }
    }

    private func ended(_ place: ObjectSeal.Place, isSettled: Bool) {
        registry.end(place, isSettled: isSettled)
        if isSettled {
            entries[place] = nil
        } else {
            watch(place)
            pauseLonger(place)
        }
    }
}

/// Finds batches that nobody saw to their end: of a gateway that died, or that forgot. On one event loop of a gateway,
/// when it starts and now and then.
private final class BatchSweep {
    private unowned let keeper: BatchKeeper
    private unowned let loop: LoopContext
    private var sweepAt: NIODeadline
    private var isFirst = true
    private var isSweeping = false
    /// Backends that turned out to have none.
    private var withoutBatches: Set<String> = []

    private static let pageRows = 100
    private static let pagesMax = 100

    init(keeper: BatchKeeper, loop: LoopContext) {
        self.keeper = keeper
        self.loop = loop
        sweepAt = .now() + .milliseconds(loop.shared.configuration.times.batchFirstSweepMilliseconds)
    }

    func tick(now: NIODeadline) {
        guard now >= sweepAt, !isSweeping else { return }
        sweepAt = now + .milliseconds(loop.shared.configuration.times.batchSweepMilliseconds)
        let snapshot = loop.shared.snapshots.current
        guard let seal = ObjectSeal(secret: snapshot.sealingSecret) else { return }
        isSweeping = true
        next(snapshot.catalogue.backends.filter { $0.kind.hasBatches && !withoutBatches.contains($0.name) }[...], seal)
    }

    private func next(_ backends: ArraySlice<Backend>, _ seal: ObjectSeal) {
        guard let backend = backends.first else {
            isSweeping = false
            isFirst = false
            return
        }
        page(of: backend, after: nil, number: 1, seal) { [weak self] in self?.next(backends.dropFirst(), seal) }
    }

    private func page(
        of backend: Backend, after: String?, number: Int, _ seal: ObjectSeal, whenDone: @escaping () -> Void
    ) {
        let query = "limit=\(Self.pageRows)" + (after.map { "&after=" + PercentEncoding.encoded($0) } ?? "")
        keeper.ask(backend, "", query: query) { [weak self] answer in
            if let status = answer?.head.status, [404, 405, 501].contains(status) {
                self?.withoutBatches.insert(backend.name)
            }
            guard let self, let answer, answer.head.status == 200,
                let list = try? JSONObjectText(reading: answer.body), let rows = list.elements("data")
            else { return whenDone() }
            let batches = rows.compactMap { UpstreamBatch($0, on: backend.name, by: seal) }
            for batch in batches { take(batch) }
            let oldest = loop.shared.clock.realTime.milliseconds / 1000 - BatchKeeper.hoursMax * 3600
            let goesOn = list.value("has_more") == Array("true".utf8) && number < Self.pagesMax
            guard goesOn, let last = batches.last, last.createdSeconds >= oldest, last.place.id != after else {
                return whenDone()
            }
            page(of: backend, after: last.place.id, number: number + 1, seal, whenDone: whenDone)
        }
    }

    private func take(_ batch: UpstreamBatch) {
        guard batch.owner != nil, !loop.shared.batches.isSettled(batch.place) else { return }
        if batch.hasEnded {
            keeper.settle(batch, isUrgent: false)
        } else if isFirst {
            // Whoever created it may be the process before this one.
            loop.shared.batches.reads(batch.place, batch.inputFile)
            keeper.watch(batch.place)
        }
    }
}
