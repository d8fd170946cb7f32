import Accounts
import Engines
import Identity
import Metering
import NIOCore

/// A file of requests that a client hands in, read, checked and made what its backend gets.
struct FileUpload: Sendable {
    let route: ModelRoute
    let tag: FileTag
    /// The form that goes to the backend.
    let form: ByteBuffer
    let contentType: String

    /// The longest name of a file that is passed on, in bytes; the rest is cut off.
    private static let nameBytesMax = 100
    /// OpenAI's bound.
    private static let expirySecondsMin: Int64 = 3600
    /// The fields that are passed on as they came.
    private static let passedFields: Set<String> = ["expires_after[anchor]", "expires_after[seconds]"]

    /// Reads all of it: pure, but long work for large files. `boundary` must not stand in any file.
    init(
        reading body: ByteBuffer, contentType: String, admission: Admission, grant: KeyGrant, seal: ObjectSeal,
        boundary: String
    ) throws(APIError) {
        var result: Result<FileUpload, APIError> = .failure(.malformedRequest)
        body.withUnsafeReadableBytes { bytes in
            result = Result { () throws(APIError) in
                try FileUpload(
                    bytes, contentType: contentType, admission: admission, grant: grant, seal: seal, boundary: boundary)
            }
        }
        self = try result.get()
    }

    private init(
        _ body: UnsafeRawBufferPointer, contentType: String, admission: Admission, grant: KeyGrant, seal: ObjectSeal,
        boundary: String
    ) throws(APIError) {
        let parts: [FormPart]
        let input: BatchInput
        let file: FormPart
        do throws(RequestError) {
            parts = try FormPart.all(in: body, contentType: contentType)
            guard let part = parts.first(where: { $0.name == "file" }), part.isFile else {
                throw RequestError(
                    message: "The form needs the part 'file', a file.", parameter: "file",
                    code: "missing_required_parameter")
            }
            file = part
            let purpose = parts.first { $0.name == "purpose" }.map { String(decoding: body[$0.value], as: UTF8.self) }
            guard purpose == "batch" else {
                throw RequestError(
                    message: "This gateway keeps files for batches only. Send the purpose 'batch'.",
                    parameter: "purpose", code: "unsupported_purpose")
            }
            input = try BatchInput(reading: UnsafeRawBufferPointer(rebasing: body[file.value]))
        } catch {
            throw .badRequest(error)
        }
        // Lines are read again where an answer does not say its size.
        if let part = parts.first(where: { $0.name == "expires_after[seconds]" }) {
            let seconds = Int64(String(decoding: body[part.value], as: UTF8.self)) ?? 0
            guard seconds >= FileUpload.expirySecondsMin else {
                throw .badRequest(
                    RequestError(
                        message: "A file must be kept for \(FileUpload.expirySecondsMin) seconds or more.",
                        parameter: part.name, code: "invalid_value"))
            }
        }
        let (model, route) = try admission.batchRoute(of: input.model, surface: input.surface, grant: grant)
        try admission.checkSoldInBatches(
            input.surface, features: input.features, otherTool: input.otherTool, pictureModels: input.pictureModels,
            model: model, grant: grant)
        if let member = input.restricted(on: CollectionOfOne(route.backend.kind)) { throw .fieldNotAvailable(member) }
        self.route = route
        tag = FileTag(byteCount: file.value.count, surface: input.surface, model: input.model)
        self.contentType = "multipart/form-data; boundary=" + boundary
        let name = tag.name(
            before: FileUpload.plainName(file.fileName ?? "file.jsonl"), for: grant.projectID, on: route.backend.name,
            by: seal)
        let content = UnsafeRawBufferPointer(rebasing: body[file.value])
        var form = ByteBufferAllocator().buffer(capacity: body.count + 1024)
        func begin(_ disposition: String) {
            form.writeString("--\(boundary)\r\ncontent-disposition: form-data; \(disposition)\r\n")
        }
        begin("name=\"purpose\"")
        form.writeString("\r\nbatch\r\n")
        for part in parts where FileUpload.passedFields.contains(part.name) && !part.isFile {
            begin("name=\"\(part.name)\"")
            form.writeString("\r\n")
            form.writeBytes(body[part.value])
            form.writeString("\r\n")
        }
        begin("name=\"file\"; filename=\"\(name)\"")
        form.writeString("content-type: application/jsonl\r\n\r\n")
        form.writeBytes(input.bytes(of: content, naming: route.upstreamName))
        form.writeString("\r\n--\(boundary)--\r\n")
        self.form = form
    }

    /// A name that needs no escapes in a form's head. Systems want it to end as it does.
    private static func plainName(_ name: String) -> String {
        let plain = name.unicodeScalars.map { scalar in
            scalar.value < 0x20 || scalar.value == 0x7F || "\"\\/".unicodeScalars.contains(scalar)
                ? "_" : String(scalar)
        }
        var text = plain.joined()[...]
        while text.utf8.count > nameBytesMax { text = text.dropFirst() }
        return text.isEmpty ? "file.jsonl" : String(text)
    }
}

extension Admission {
    /// The way of a batch's lines: of the model's backends that keep files and work through batches, the one with the
    /// largest share. A file is at one place, so there is no other to go to.
    func batchRoute(
        of name: String, surface: Surface, grant: KeyGrant
    ) throws(APIError) -> (model: CatalogueModel, route: ModelRoute) {
        guard let model = snapshot.catalogue.model(named: name), model.isAllowed(for: grant.tenantID) else {
            throw .modelNotFound(String(name.prefix(200)))
        }
        let routes = model.routes.filter { route in
            let backend = route.backend
            return backend.outOfService == nil && backend.kind.hasBatches && backend.dialect.serves(surface)
                && model.routing.allow(backend)
        }
        guard let first = routes.first else { throw .noBatches(name) }
        return (model, routes.dropFirst().reduce(first) { $1.weight > $0.weight ? $1 : $0 })
    }

    /// Backends that keep files and work through batches, of models that the tenant may use.
    func batchBackends(for grant: KeyGrant) -> [Backend] {
        var backends: [String: Backend] = [:]
        for model in snapshot.catalogue.models where model.isAllowed(for: grant.tenantID) {
            for route in model.routes where route.backend.kind.hasBatches && route.backend.outOfService == nil {
                backends[route.backend.name] = route.backend
            }
        }
        return backends.values.sorted { $0.name < $1.name }
    }
}

extension APIError {
    static func noBatches(_ model: String) -> APIError {
        APIError(
            status: 400, type: "invalid_request_error", code: "batches_not_available",
            message: "No engine behind the model '\(model.prefix(200))' works through batches of these requests. Send "
                + "them one by one, or ask for another model.",
            parameter: "model")
    }

    static let batchesUnavailable = APIError(
        status: 503, type: "server_error", code: "batches_unavailable",
        message: "This gateway does not know the installation's secret yet, so it keeps no files. Try again shortly.",
        retryAfterSeconds: 5)

    /// In OpenAI's words.
    static func noSuch(_ kind: ObjectSeal.Kind, _ id: String) -> APIError {
        let shown = id.prefix(200)
        let (message, parameter) =
            switch kind {
            case .file: ("No such File object: \(shown)", "id")
            case .batch: ("No batch found with id '\(shown)'.", "batch_id")
            case .response: ("Response with id '\(shown)' not found.", "response_id")
            case .prediction, .interaction, .container: ("'\(shown)' was not found.", "id")
            }
        return APIError(
            status: 404, type: "invalid_request_error", code: "not_found", message: message, parameter: parameter)
    }
}
