public import Metering

extension InferenceRequest {
    /// Reads the body of a request in one of the forms that all systems share.
    ///
    /// A JSON body must be one object in UTF-8, with each field that the gateway reads written at most once: if the
    /// gateway read one `model` and the engine another, the bill would be for the wrong one. `contentType` says where
    /// the parts of a form end; without it the form's own first line does.
    public init(
        reading body: UnsafeRawBufferPointer, surface: Surface, contentType: String? = nil
    ) throws(RequestError) {
        self.init(surface: surface)
        do throws(ReadingError) {
            if surface == .audioTranscriptions, MultipartForm.isForm(body, contentType: contentType) {
                try MultipartForm.read(body, contentType: contentType, into: &self)
            } else {
                try RequestReader.read(body, into: &self)
                try readReferences(in: body)
            }
        } catch {
            throw error.refusal
        }
        guard !modelRange.isEmpty else {
            throw RequestError(
                message: "You must provide a model parameter. GET /v1/models lists the models you can use.",
                parameter: "model", code: "missing_required_parameter")
        }
    }

    /// Reads the body of a call of a system's own API; the path may have named model and stream already.
    public init(reading body: UnsafeRawBufferPointer, native call: NativeCall) throws(RequestError) {
        self.init(surface: call.surface)
        native = call
        if call.isInference || !body.isEmpty {
            do throws(ReadingError) {
                try RequestReader.read(body, into: &self)
                if call.isInference { try readReferences(in: body) }
            } catch {
                throw error.refusal
            }
        } else {
            self.body = .none
        }
        if let named = call.model {
            // The engine would serve the one in the body.
            guard surface != .replicatePredictions || modelRange.isEmpty else {
                throw RequestError(
                    message: "The path names the model already. Leave 'version' out.", parameter: "version",
                    code: "field_not_available")
            }
            model = named
        }
        if call.isStream { isStream = true }
    }
}

extension InferenceRequest {
    /// Takes the tier that a header names. Body and header must not disagree: only the engine knows which it goes by.
    public mutating func ask(forTier tier: String) throws(RequestError) {
        guard serviceTier == nil || OpenAIDialect.tier(named: serviceTier) == OpenAIDialect.tier(named: tier) else {
            throw RequestError(
                message: "Body and headers ask for different service tiers. Name one of them.",
                parameter: "service_tier", code: "invalid_value")
        }
        serviceTier = tier
    }
}

/// Why a body cannot be read.
enum ReadingError: Error {
    case json(JSONScanError)
    case refused(RequestError)

    var refusal: RequestError {
        switch self {
        case .refused(let refusal): refusal
        case .json(let error):
            RequestError(
                message: "The body is not valid JSON: \(error.problem.rawValue) at byte \(error.offset).",
                code: "invalid_json")
        }
    }

    static func givenTwice(_ name: String) -> ReadingError {
        .refused(
            RequestError(
                message: "The field '\(name)' is given twice. Give it once.", parameter: name, code: "duplicate_field"
            ))
    }

    static func wrongType(_ name: String, _ expected: String) -> ReadingError {
        .refused(
            RequestError(message: "The field '\(name)' must be \(expected).", parameter: name, code: "invalid_type"))
    }

    /// Some engines match names without regard to case, Go's JSON among them: `Model` beside `model` would be served
    /// as one model and billed as the other.
    static func otherCase(_ name: String) -> ReadingError {
        .refused(
            RequestError(
                message: "The case of field names matters: write '\(name)'.", parameter: name, code: "unknown_field"))
    }
}
