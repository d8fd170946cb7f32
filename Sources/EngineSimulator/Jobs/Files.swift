import Synchronization

/// Files that were handed in, and those that batches made.
final class Files: Sendable {
    /// Files kept; more are refused.
    static let filesMax = 1000

    struct File: Sendable {
        let id: String
        let name: String
        let purpose: String
        let created: Int
        let content: [UInt8]

        var json: String {
            JSONText.object([
                "id": JSONText.quoted(id), "object": "\"file\"", "bytes": String(content.count),
                "created_at": String(created), "expires_at": "null", "filename": JSONText.quoted(name),
                "purpose": JSONText.quoted(purpose), "status": "\"processed\"", "status_details": "null",
            ])
        }
    }

    private struct State {
        var files: [File] = []
        var last = 0
    }

    private let state = Mutex(State())

    /// Keeps a file; nil when there are too many.
    func add(name: String, purpose: String, content: [UInt8], now: Int) -> File? {
        state.withLock { state in
            guard state.files.count < Self.filesMax else { return nil }
            state.last += 1
            let file = File(
                id: "file-\(Hash.hex(Hash.mix(UInt64(state.last))))", name: name, purpose: purpose,
                created: now / 1000, content: content)
            state.files.append(file)
            return file
        }
    }

    func find(_ id: String) -> File? { state.withLock { $0.files.first { $0.id == id } } }

    var all: [File] { state.withLock { $0.files } }

    /// Whether there was such a file.
    func remove(_ id: String) -> Bool {
        state.withLock { state in
            let before = state.files.count
            state.files.removeAll { $0.id == id }
            return state.files.count < before
        }
    }
}

extension Engine {
    /// `POST /v1/files`: a form with a purpose and a file.
    func uploadFile(_ exchange: Exchange) -> PreparedAnswer {
        do throws(EngineError) {
            let form = try Multipart(exchange)
            guard let purpose = form.text("purpose") else { throw .badRequest("Field required", "purpose") }
            guard let part = form.file("file") else { throw .badRequest("Field required", "file") }
            let added = files.add(
                name: part.fileName ?? "", purpose: purpose, content: Array(part.content), now: Self.now())
            guard let file = added else { throw .badRequest("at most \(Files.filesMax) files: delete some", "file") }
            return PreparedAnswer(body: file.json)
        } catch {
            return ErrorEnvelope.openai.answer(error)
        }
    }

    func listFiles(_ exchange: Exchange) -> PreparedAnswer {
        let data = files.all.map(\.json).joined(separator: ",")
        return PreparedAnswer(body: "{\"object\":\"list\",\"data\":[\(data)],\"has_more\":false}")
    }

    func showFile(_ exchange: Exchange) -> PreparedAnswer {
        files.find(exchange.parameters[0]).map { PreparedAnswer(body: $0.json) } ?? Self.noSuchObject
    }

    func fileContent(_ exchange: Exchange) -> PreparedAnswer {
        advanceBatches()
        guard let file = files.find(exchange.parameters[0]) else { return Self.noSuchObject }
        return PreparedAnswer(contentType: "application/octet-stream", bytes: file.content)
    }

    func deleteFile(_ exchange: Exchange) -> PreparedAnswer {
        let id = exchange.parameters[0]
        guard files.remove(id) else { return Self.noSuchObject }
        return PreparedAnswer(body: "{\"id\":\(JSONText.quoted(id)),\"object\":\"file\",\"deleted\":true}")
    }

    static let noSuchObject = ErrorEnvelope.openai.answer(
        EngineError(status: 404, message: "No such object: it was never created here, or was deleted."))
}
