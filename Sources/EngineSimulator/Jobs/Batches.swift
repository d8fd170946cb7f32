import NIOHTTP1
import Synchronization

/// The batches that were created. They go on when someone looks.
final class Batches: Sendable {
    /// Batches kept; more are refused.
    static let batchesMax = 1000

    let all = Mutex<[Batch]>([])

    func find(_ id: String) -> Batch? { all.withLock { $0.first { $0.id == id } } }
}

extension Engine {
    /// `POST /v1/batches`.
    func createBatch(_ exchange: Exchange) -> PreparedAnswer {
        do throws(EngineError) {
            let body = try exchange.object()
            guard let endpoint = body["endpoint"]?.string, let fileID = body["input_file_id"]?.string else {
                throw .badRequest("Field required", body["endpoint"] == nil ? "endpoint" : "input_file_id")
            }
            guard let file = files.find(fileID) else {
                throw EngineError(status: 404, message: "No such File object: \(fileID)", parameter: "input_file_id")
            }
            var lines: [BatchLine] = []
            var problem: String?
            do throws(EngineError) { lines = try BatchLine.read(file.content, endpoint: endpoint) } catch {
                problem = error.message
            }
            let now = Self.now()
            let duration = control.snapshot(now: now).base.batchMilliseconds
            let metadata = body["metadata"].map { JSONText.text(of: $0) } ?? "null"
            let added = batches.all.withLock { batches -> Batch? in
                guard batches.count < Batches.batchesMax else { return nil }
                let batch = Batch(
                    id: "batch_\(Hash.hex(Hash.mix(UInt64(batches.count + 1))))", endpoint: endpoint,
                    inputFile: fileID, metadata: metadata, created: now, duration: duration, lines: lines,
                    problem: problem)
                batches.append(batch)
                return batch
            }
            guard let batch = added else { throw .badRequest("at most \(Batches.batchesMax) batches") }
            return PreparedAnswer(body: batch.json(.validating))
        } catch {
            return ErrorEnvelope.openai.answer(error)
        }
    }

    func listBatches(_ exchange: Exchange) -> PreparedAnswer {
        advanceBatches()
        let data = batches.all.withLock { $0.reversed().map { $0.json() } }.joined(separator: ",")
        return PreparedAnswer(body: "{\"object\":\"list\",\"data\":[\(data)],\"has_more\":false}")
    }

    func showBatch(_ exchange: Exchange) -> PreparedAnswer {
        advanceBatches()
        return batches.find(exchange.parameters[0]).map { PreparedAnswer(body: $0.json()) } ?? Self.noSuchObject
    }

    /// `POST /v1/batches/{id}/cancel`: what was served stays so and is in the output file.
    func cancelBatch(_ exchange: Exchange) -> PreparedAnswer {
        advanceBatches()
        let cancelled = batches.all.withLock { batches -> Batch? in
            guard let index = batches.firstIndex(where: { $0.id == exchange.parameters[0] }) else { return nil }
            if !batches[index].isOver { batches[index].cancelledAt = Self.now() }
            return batches[index]
        }
        return cancelled.map { PreparedAnswer(body: $0.json()) } ?? Self.noSuchObject
    }

    /// Serves the lines that are due, and ends batches whose lines are all served.
    func advanceBatches() {
        let now = Self.now()
        batches.all.withLock { batches in
            for index in batches.indices where !batches[index].isOver {
                let due = batches[index].due(now: now)
                while batches[index].served < due { serveLine(of: &batches[index]) }
                guard batches[index].cancelledAt != nil || due == batches[index].lines.count else { continue }
                end(&batches[index], now: now)
            }
        }
    }

    private func end(_ batch: inout Batch, now: Int) {
        batch.endedAt = now
        func keep(_ lines: [String], _ name: String) -> String? {
            guard !lines.isEmpty else { return nil }
            let content = Array((lines.joined(separator: "\n") + "\n").utf8)
            return files.add(name: "\(batch.id)_\(name).jsonl", purpose: "batch_output", content: content, now: now)?.id
        }
        batch.outputFile = keep(batch.output, "output")
        batch.errorFile = keep(batch.errors, "error")
    }

    private func serveLine(of batch: inout Batch) {
        let line = batch.lines[batch.served]
        let id = "\(batch.id)/\(line.customID)"
        let answer = serve(line, id: id, usage: &batch.usage)
        let text = String(decoding: answer.body, as: UTF8.self)
        let response =
            "{\"status_code\":\(answer.status),\"request_id\":\(JSONText.quoted(id)),\"body\":\(text)}"
        let told =
            "{\"id\":\"batch_req_\(Hash.hex(Hash.of(id.utf8)))\",\"custom_id\":\(JSONText.quoted(line.customID)),"
            + "\"response\":\(response),\"error\":null}"
        batch.served += 1
        if answer.status == 200 {
            batch.output.append(told)
        } else {
            batch.failed += 1
            batch.errors.append(told)
        }
    }

    /// Serves one line at once: whatever speed is set, the batch as a whole keeps its time.
    private func serve(_ line: BatchLine, id: String, usage: inout BatchUsage) -> PreparedAnswer {
        let segments = line.path.split(separator: "/", omittingEmptySubsequences: false)
        let route = Self.routes.first { $0.method == .POST && $0.match(segments) != nil }
        guard case .generate(let dialect) = route?.action else { return .notFound }
        var head = HTTPRequestHead(version: .http1_1, method: .POST, uri: line.path)
        head.headers.add(name: "anthropic-version", value: "2023-06-01")
        let exchange = Exchange(head: head, body: line.body)
        do throws(EngineError) {
            var (request, behavior) = try read(dialect, exchange)
            request.streamed = false
            if behavior.errorStatus != 0 {
                let message = behavior.errorMessage ?? "the simulator was told to answer \(behavior.errorStatus)"
                throw EngineError(status: behavior.errorStatus, message: message)
            }
            var (sheet, entry) = serve(request, behavior, id, isBatch: true)
            var template = dialect.template(sheet)
            let answer = template.plain()
            let plan = sheet.plan
            entry.complete(plan: plan, usage: template.usageSaid, now: Self.now())
            log.close(entry)
            usage.prompt += plan.promptTokens
            usage.cached += plan.cachedTokens
            usage.completion += plan.completionTokens
            usage.reasoning += plan.reasoningTokens
            return answer
        } catch {
            return dialect.envelope.answer(error)
        }
    }
}

extension ServedRequest {
    /// Closes the line of an answer that was made at once.
    fileprivate mutating func complete(plan: GenerationPlan, usage: String?, now: Int) {
        status = 200
        outcome = .complete
        completionTokensProduced = plan.completionTokens
        completionTokensSent = plan.completionTokens
        reasoningTokens = plan.reasoningTokens
        usageReported = usage
        firstTokenMilliseconds = now
        endedMilliseconds = now
    }
}
