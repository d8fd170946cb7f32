import Accounts
import Engines
import HTTP1
import Identity
import Metering
import NIOCore

/// Batches: created, listed, shown, cancelled.
extension JobCall {
    /// Batches on one page of a listing, unless the client says how many (OpenAI's numbers).
    private static let listedBatches = 20
    private static let listedBatchesMax = 100

    // MARK: Creating

    func createBatch() {
        let order: BatchOrder
        do throws(RequestError) {
            order = try BatchOrder(reading: Array(body.readableBytesView))
        } catch {
            return fail(.badRequest(error))
        }
        let missing = APIError.noSuch(.file, order.inputFile).naming("input_file_id")
        guard let (file, backend) = opened(order.inputFile, .file) else { return fail(missing) }
        do throws(APIError) { try claimIdempotencyKey() } catch { return fail(error) }
        // What was found out about the file when it was handed in stands in its name.
        ask(question(.files, "/" + file.encodedID, on: backend), missing: missing) { [self] answer in
            let name = (try? JSONObjectText(reading: answer.body))?.text("filename") ?? ""
            guard let (tag, _) = FileTag.read(name, for: grant.projectID, on: backend.name, by: seal) else {
                return fail(.notHandedIn(order.inputFile))
            }
            create(order, of: file, tag, on: backend)
        }
    }

    private func create(_ order: BatchOrder, of file: ObjectSeal.Place, _ tag: FileTag, on backend: Backend) {
        guard order.surface == tag.surface else {
            return fail(.endpointMismatch(OpenAIDialect.path(of: tag.surface)))
        }
        guard let subscriptionID = grant.subscriptionID else { return fail(.noSubscription) }
        let catalogue = admission.snapshot.catalogue
        guard let model = catalogue.model(named: tag.model), model.isAllowed(for: grant.tenantID),
            let upstreamName = catalogue.upstreamName(of: tag.model, on: backend)
        else { return fail(.modelNotFound(tag.model)) }
        do throws(APIError) {
            // The plan may have changed since the file was handed in.
            try admission.checkSoldInBatches(tag.surface, model: model, grant: grant)
        } catch {
            return fail(error)
        }
        let owner = BatchOwner(
            requestID: requestID, accountID: grant.accountID, tenantID: grant.tenantID, projectID: grant.projectID,
            keyID: grant.keyID, subscriptionID: subscriptionID,
            clockOffsetMilliseconds: grant.clockOffsetMilliseconds, surface: tag.surface, model: model.publicName,
            priceKey: model.priceKey, upstreamModel: upstreamName)
        guard let value = owner.value(file: file.id, on: backend.name, by: seal) else {
            return fail(.modelNotFound(tag.model))
        }
        let content = Content(bytes: ByteBuffer(bytes: order.bytes(inputFile: file.id, owner: value)))
        mayHaveCreated = true
        ask(
            question(.batches, method: "POST", content: content, on: backend),
            missing: .noSuch(.file, order.inputFile).naming("input_file_id")
        ) { [self] answer in
            guard let batch = UpstreamBatch(answer.body, on: backend.name, by: seal) else {
                return fail(.jobsUpstream(backend, nil))
            }
            guard batch.owner == owner else {
                // Nobody could ever tell whose it is.
                let rest = "/" + batch.place.encodedID + "/cancel"
                EngineCall.ask(
                    question(.batches, rest, method: "POST", on: backend), tls: shared.upstreamTLS, on: loop.eventLoop
                ) { _ in }
                mayHaveCreated = false
                return fail(.metadataNotKept)
            }
            shared.batches.reads(batch.place, file.id)
            loop.batches.watch(batch.place)
            respond(answer.head.status, shown(batch), on: backend)
        }
    }

    // MARK: Looking

    func showBatch(_ place: ObjectSeal.Place, on backend: Backend) {
        askForBatch("/" + place.encodedID, method: "GET", place, on: backend)
    }

    func cancelBatch(_ place: ObjectSeal.Place, on backend: Backend) {
        askForBatch("/" + place.encodedID + "/cancel", method: "POST", place, on: backend)
    }

    private func askForBatch(_ rest: String, method: String, _ place: ObjectSeal.Place, on backend: Backend) {
        let content = method == "POST" ? Content() : nil
        ask(
            question(.batches, rest, method: method, content: content, on: backend),
            missing: .noSuch(.batch, sealed(place, .batch))
        ) { [self] answer in
            guard let batch = UpstreamBatch(answer.body, on: backend.name, by: seal) else {
                return fail(.jobsUpstream(backend, nil))
            }
            whenSettled([batch]) { self.respond(answer.head.status, self.shown(batch), on: backend) }
        }
    }

    func listBatches() {
        let limit = min(queryValue("limit").flatMap { Int($0) } ?? Self.listedBatches, Self.listedBatchesMax)
        list(.batches, .batch, limit: max(1, limit), query: "") { [self] row, backend -> UpstreamBatch? in
            guard let batch = UpstreamBatch(row, on: backend.name, by: seal),
                batch.owner?.projectID == grant.projectID
            else { return nil }
            return batch
        } then: { [self] batches, hasMore in
            whenSettled(batches) { self.respondWithList(batches.map { self.shown($0) }, hasMore: hasMore) }
        }
    }

    private func shown(_ batch: UpstreamBatch) -> [UInt8] {
        batch.shown(to: grant.projectID, isSettled: shared.batches.isSettled(batch.place), by: seal)
    }
}

/// What a client asks for when it creates a batch.
private struct BatchOrder {
    /// As the client knows it.
    let inputFile: String
    let surface: Surface
    private let object: JSONObjectText
    private let metadata: JSONObjectText?

    /// What reaches the backend: whatever else a system knows may send the answers elsewhere, or have it work through
    /// lines that nobody read.
    private static let members: [StaticString] = [
        "input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after",
    ]
    /// Answers are read before they expire (OpenAI's bound).
    private static let expirySecondsMin: Int64 = 3600

    init(reading body: [UInt8]) throws(RequestError) {
        let object = try JSONObjectText(reading: body, names: BatchOrder.members + ["service_tier", "model"])
        self.object = object
        func text(_ name: String) throws(RequestError) -> String {
            guard let text = object.text(name) else {
                throw RequestError(
                    message: "You must provide the field '\(name)', a string.", parameter: name,
                    code: "missing_required_parameter")
            }
            return text
        }
        inputFile = try text("input_file_id")
        let endpoint = try text("endpoint")
        guard let surface = BatchInput.surface(ofPath: endpoint) else {
            let paths = BatchInput.surfaces.map { OpenAIDialect.path(of: $0) }.joined(separator: ", ")
            throw RequestError(
                message: "The endpoint '\(endpoint.prefix(100))' is not one that batches have here. Use one of "
                    + "\(paths).", parameter: "endpoint", code: "invalid_endpoint")
        }
        self.surface = surface
        let known = BatchOrder.members.map(\.description)
        for name in object.keys where !known.contains(name) && object.value(name) != Array("null".utf8) {
            // Batches are a tier of their own, and their lines name the model.
            throw RequestError(
                message: "The field '\(name.prefix(100))' is not available for batches. Leave it out.",
                parameter: String(name.prefix(100)),
                code: name == "service_tier" ? "tier_not_available" : "field_not_available")
        }
        if let expiry = object.value("output_expires_after"), expiry != Array("null".utf8) {
            let seconds = object.object("output_expires_after")?.integer("seconds") ?? 0
            guard seconds >= BatchOrder.expirySecondsMin else {
                throw RequestError(
                    message: "Answers must be kept for \(BatchOrder.expirySecondsMin) seconds or more: set 'seconds'.",
                    parameter: "output_expires_after", code: "invalid_value")
            }
        }
        metadata = object.object("metadata")
        let isNull = object.value("metadata").map { $0 == Array("null".utf8) } ?? true
        guard metadata != nil || isNull else {
            throw RequestError(
                message: "The field 'metadata' must be an object.", parameter: "metadata", code: "invalid_type")
        }
        let keys = metadata?.keys ?? []
        guard !keys.contains(where: { $0.lowercased().hasPrefix(BatchOwner.metadataKey) }) else {
            throw RequestError(
                message: "Names that begin with '\(BatchOwner.metadataKey)' are the gateway's. Choose another.",
                parameter: "metadata", code: "reserved_metadata")
        }
        guard keys.count < BatchOwner.metadataMembersMax else {
            throw RequestError(
                message: "Metadata of a batch may have \(BatchOwner.metadataMembersMax - 1) members here.",
                parameter: "metadata", code: "too_much_metadata")
        }
    }

    /// The order as the backend gets it: what is null is as good as left out.
    func bytes(inputFile: String, owner: String) -> [UInt8] {
        let member: (key: String, value: [UInt8]?) = (BatchOwner.metadataKey, JSONString.bytes(of: owner))
        let own = Array("{".utf8) + JSONString.bytes(of: member.key) + Array(":".utf8) + (member.value ?? [])
        let known = BatchOrder.members.map(\.description)
        return object.changed(
            [
                ("input_file_id", JSONString.bytes(of: inputFile)),
                ("metadata", metadata?.changed([member]) ?? own + Array("}".utf8)),
            ] + object.keys.filter { !known.contains($0) }.map { ($0, nil) })
    }
}

extension APIError {
    /// The same about another parameter.
    fileprivate func naming(_ parameter: String) -> APIError {
        APIError(status: status, type: type, code: code, message: message, parameter: parameter)
    }

    fileprivate static func notHandedIn(_ id: String) -> APIError {
        APIError(
            status: 400, type: "invalid_request_error", code: "invalid_input_file",
            message: "The file \(id.prefix(200)) was not handed in for a batch. Send one to /v1/files with the purpose "
                + "'batch'.",
            parameter: "input_file_id")
    }

    fileprivate static func endpointMismatch(_ path: String) -> APIError {
        APIError(
            status: 400, type: "invalid_request_error", code: "mismatched_endpoint",
            message: "The file's lines are for \(path). Name that as the endpoint.", parameter: "endpoint")
    }

    fileprivate static let metadataNotKept = upstream(
        502, "metadata_not_kept",
        "The engine does not keep the metadata of batches, by which they are billed. The batch was cancelled. Send "
            + "requests one by one.")
}
