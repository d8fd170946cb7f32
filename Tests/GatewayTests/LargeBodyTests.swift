import Dispatch
import Identity
import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing

@testable import Gateway

/// Large bodies are read away from the event loops, and nobody waits for another's.
@Suite(.timeLimit(.minutes(10))) struct LargeBodyTests {
    @Test(arguments: 0..<20)
    func `what waits takes turns by owner and keeps each owner's order`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var queue = FairQueue<Int, Int>()
        var waiting: [Int: [Int]] = [:]
        var turns: [Int] = []
        for number in 0..<400 {
            if Int.random(in: 0..<5, using: &generator) < 3 {
                let owner = Int.random(in: 0..<4, using: &generator)
                queue.append(number, of: owner)
                waiting[owner, default: []].append(number)
                if !turns.contains(owner) { turns.append(owner) }
                continue
            }
            guard let owner = turns.first else {
                #expect(queue.popFirst() == nil)
                continue
            }
            turns.removeFirst()
            #expect(queue.popFirst() == waiting[owner]?.first, "seed \(seed)")
            waiting[owner]?.removeFirst()
            if waiting[owner]?.isEmpty == false { turns.append(owner) }
        }
    }

    @Test func `one tenant's bodies do not wait for all of another's, and what nobody wants is left out`() throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let pool = ReadingPool(runningMax: 1)
        let gate = DispatchSemaphore(value: 0)
        let order = Mutex<[String]>([])
        let done = DispatchSemaphore(value: 0)
        let (large, small): (TenantID, TenantID) = (TestGateway.id(1), TestGateway.id(2))
        func add(_ name: String, of tenant: TenantID) -> ReadingPool.Reading {
            pool.run(for: .requests(tenant), on: group.next()) {
                if name == "first" { gate.wait() }
                return name
            } then: { name in
                order.withLock { $0.append(name) }
                done.signal()
            }
        }
        _ = add("first", of: large)
        for number in 1...3 { _ = add("large \(number)", of: large) }
        let unwanted = add("unwanted", of: small)
        _ = add("small", of: small)
        unwanted.cancel()
        gate.signal()
        for _ in 0..<5 { done.wait() }
        let expected = ["first", "large 1", "large 2", "small", "large 3"]
        #expect(order.withLock { $0 } == expected)
        try group.syncShutdownGracefully()
    }

    /// Takes all threads that read, until told to let go of them.
    private func occupy(_ gateway: TestGateway) -> DispatchSemaphore {
        let gate = DispatchSemaphore(value: 0)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        for _ in 0..<System.coreCount {
            _ = gateway.server.shared.reading.run(for: .requests(TestGateway.id(9)), on: loop) {
                gate.wait()
            } then: {
            }
        }
        return gate
    }

    private static let large = TestGateway.request(
        TestGateway.chat(#","pad":"\#(String(repeating: "x", count: 200_000))""#))

    @Test func `a short request is answered while a large one waits to be read`() async throws {
        let engine = try ScriptedEngine { socket, _ in socket.send(Answers.plain()) }
        let gateway = try await TestGateway(engine: engine)
        let gate = occupy(gateway)
        let slow = try gateway.connect()
        slow.send(Self.large)
        for _ in 0..<500 where !gateway.metricsText.contains("tollgate_request_body_bytes 20") {
            pause(milliseconds: 10)
        }
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        #expect(engine.requests.count == 1)
        for _ in 0..<System.coreCount { gate.signal() }
        #expect(slow.readMessage()?.status == 200)
        await gateway.stop()
    }

    @Test func `a client that leaves while its body waits to be read leaves nothing behind`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let gate = occupy(gateway)
        let socket = try gateway.connect()
        socket.send(Self.large)
        for _ in 0..<500 where gateway.server.shared.openRequests.load(ordering: .relaxed) == 0 {
            pause(milliseconds: 10)
        }
        socket.close()
        for _ in 0..<500 where gateway.server.shared.openRequests.load(ordering: .relaxed) > 0 {
            pause(milliseconds: 10)
        }
        #expect(gateway.server.shared.openRequests.load(ordering: .relaxed) == 0)
        let rest = DispatchSemaphore(value: 0)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        // Its tenant's next turn comes behind the body that nobody wants.
        _ = gateway.server.shared.reading.run(for: .requests(TestGateway.id(201)), on: loop) {
        } then: {
            rest.signal()
        }
        for _ in 0..<System.coreCount { gate.signal() }
        await withCheckedContinuation { continuation in
            onThread {
                rest.wait()
                continuation.resume()
            }
        }
        #expect(gateway.engine.requests.isEmpty)
        #expect(gateway.server.shared.memory.bytesHeld == 0, "the body is let go of")
        await gateway.stop()
    }

    @Test func `a key that is revoked while its body waits to be read is refused`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let gate = occupy(gateway)
        let socket = try gateway.connect()
        socket.send(Self.large)
        for _ in 0..<500 where gateway.server.shared.openRequests.load(ordering: .relaxed) == 0 {
            pause(milliseconds: 10)
        }
        gateway.server.update(TestGateway.snapshot(change: 2, port: gateway.engine.port, key: "sk-new"))
        for _ in 0..<System.coreCount { gate.signal() }
        #expect(socket.readMessage()?.status == 401)
        #expect(gateway.engine.requests.isEmpty)
        await gateway.stop()
    }
}
