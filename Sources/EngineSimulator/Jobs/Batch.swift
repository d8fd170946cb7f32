/// A batch: the lines of a file, served one after the other within a set time.
struct Batch: Sendable {
    enum Status: String, Sendable {
        case validating, failed
        case inProgress = "in_progress"
        case finalizing, completed, cancelling, cancelled
    }

    let id: String
    let endpoint: String
    let inputFile: String
    /// As it came, to be shown again.
    let metadata: String
    /// Milliseconds since 1970.
    let created: Int
    /// From its creation to its end.
    let duration: Int
    let lines: [BatchLine]
    /// What is wrong with the file; then no line is served.
    let problem: String?

    var served = 0
    var failed = 0
    /// Lines of the two files so far.
    var output: [String] = []
    var errors: [String] = []
    var usage = BatchUsage()
    var cancelledAt: Int?
    var endedAt: Int?
    var outputFile: String?
    var errorFile: String?

    var isOver: Bool { endedAt != nil || problem != nil }

    /// How many lines are due by now.
    func due(now: Int) -> Int {
        guard problem == nil, cancelledAt == nil else { return served }
        guard duration > 0, now < created + duration else { return lines.count }
        return max(served, lines.count * (now - created) / duration)
    }

    var status: Status {
        if problem != nil { return .failed }
        if cancelledAt != nil { return endedAt == nil ? .cancelling : .cancelled }
        return endedAt == nil ? .inProgress : .completed
    }

    /// - Parameter status: in place of the present one, as the answer to a creation shows it.
    func json(_ status: Status? = nil) -> String {
        let status = status ?? self.status
        func seconds(_ milliseconds: Int?) -> String { JSONText.number(milliseconds.map { $0 / 1000 }) }
        let isCompleted = status == .completed
        let problems = problem.map { problem in
            let error =
                "{\"code\":\"invalid_file\",\"message\":\(JSONText.quoted(problem)),\"line\":null,\"param\":null}"
            return "{\"object\":\"list\",\"data\":[\(error)]}"
        }
        let counts = JSONText.object([
            "total": String(lines.count), "completed": String(served - failed), "failed": String(failed),
        ])
        return JSONText.object([
            "id": JSONText.quoted(id), "object": "\"batch\"", "endpoint": JSONText.quoted(endpoint),
            "errors": problems ?? "null", "input_file_id": JSONText.quoted(inputFile),
            "completion_window": "\"24h\"", "status": "\"\(status.rawValue)\"",
            "output_file_id": JSONText.quoted(outputFile), "error_file_id": JSONText.quoted(errorFile),
            "created_at": seconds(created), "in_progress_at": seconds(created),
            "expires_at": seconds(created + 86_400_000), "finalizing_at": seconds(endedAt),
            "completed_at": isCompleted ? seconds(endedAt) : "null",
            "failed_at": problem == nil ? "null" : seconds(created), "expired_at": "null",
            "cancelling_at": seconds(cancelledAt), "cancelled_at": status == .cancelled ? seconds(endedAt) : "null",
            "request_counts": counts, "metadata": metadata, "usage": isCompleted ? usage.json : "null",
        ])
    }
}

/// One line of a batch's file, as it was read.
struct BatchLine: Sendable {
    /// Lines of one file.
    static let linesMax = 50_000

    let customID: String
    let path: String
    let body: [UInt8]

    /// Reads all lines; a line that is none spoils the file.
    static func read(_ content: [UInt8], endpoint: String) throws(EngineError) -> [BatchLine] {
        var lines: [BatchLine] = []
        for (number, text) in content.split(separator: UInt8(ascii: "\n")).enumerated() {
            let line: JSONValue
            do throws(JSONSyntaxError) { line = try JSONReader.read(Array(text)) } catch {
                throw .badRequest("line \(number + 1) is no JSON: \(error.reason)")
            }
            guard let id = line["custom_id"]?.string, let path = line["url"]?.string, let body = line["body"],
                line["method"]?.string == "POST"
            else { throw .badRequest("line \(number + 1) lacks custom_id, method POST, url or body") }
            guard path == endpoint else { throw .badRequest("line \(number + 1) is for \(path), not \(endpoint)") }
            lines.append(BatchLine(customID: id, path: path, body: Array(JSONText.text(of: body).utf8)))
        }
        guard !lines.isEmpty, lines.count <= linesMax else {
            throw .badRequest("the file has \(lines.count) lines; it takes 1 to \(linesMax)")
        }
        guard Set(lines.map(\.customID)).count == lines.count else { throw .badRequest("a custom_id stands twice") }
        return lines
    }
}

/// The sum of a batch's usage.
struct BatchUsage: Sendable {
    var prompt = 0
    var cached = 0
    var completion = 0
    var reasoning = 0

    var json: String {
        "{\"input_tokens\":\(prompt),\"input_tokens_details\":{\"cached_tokens\":\(cached)},"
            + "\"output_tokens\":\(completion),\"output_tokens_details\":{\"reasoning_tokens\":\(reasoning)},"
            + "\"total_tokens\":\(prompt + completion)}"
    }
}
